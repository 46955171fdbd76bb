# CIFAR-10 in three views. The strong views use torchvision's own transforms on PIL images, as the published code does:
# mmpretrain's ColorJitter takes images for BGR, and these are RGB.
_base_ = 'cifar10.py'

weak_view = [
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
strong_view = [
    dict(type='NumpyToPIL'),
    dict(type='torchvision/RandomResizedCrop', size=32, scale=(0.2, 1.0)),
    dict(type='torchvision/RandomHorizontalFlip', p=0.5),
    dict(
        type='RandomApply',
        prob=0.8,
        transforms=[
            dict(type='torchvision/ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
        ],
    ),
    dict(type='torchvision/RandomGrayscale', p=0.2),
    dict(type='torchvision/RandomSolarize', threshold=128, p=0.5),
    dict(type='PILToNumpy'),
]
train_pipeline = [
    dict(type='MultiView', num_views=[1, 2], transforms=[weak_view, strong_view]),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
