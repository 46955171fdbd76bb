# Fashion-MNIST in three views. Grey images have neither hue nor saturation to jitter.
_base_ = 'fmnist.py'

weak_view = [
    dict(type='RandomCrop', crop_size=28, padding=2),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
strong_view = [
    dict(type='NumpyToPIL'),
    dict(type='torchvision/RandomResizedCrop', size=28, scale=(0.2, 1.0)),
    dict(type='torchvision/RandomHorizontalFlip', p=0.5),
    dict(
        type='RandomApply',
        prob=0.8,
        transforms=[dict(type='torchvision/ColorJitter', brightness=0.4, contrast=0.4)],
    ),
    dict(type='PILToNumpy'),
]
train_pipeline = [
    dict(type='MultiView', num_views=[1, 2], transforms=[weak_view, strong_view]),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
