# As views_224.py, for networks that take 299 pixels, with 320 on the short edge.
load = dict(type='LoadImageFromFile')
weak_view = [
    dict(type='ResizeEdge', scale=320, edge='short'),  # our choice: DivideMix's
    dict(type='RandomResizedCrop', scale=299),  # our choice: DivideMix's
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
strong_view = [
    dict(type='RandomResizedCrop', scale=299, crop_ratio_range=(0.2, 1.0)),  # our choice: as on CIFAR
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    # torchvision's, as the hue of mmcv, on which mmpretrain's ColorJitter is built, fails under numpy 2.
    dict(type='NumpyToPIL', to_rgb=True),
    dict(
        type='RandomApply',
        transforms=[dict(type='torchvision/ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)],
        prob=0.8,
    ),
    dict(type='PILToNumpy', to_bgr=True),
    # Weights of blue, green and red; the default weighs them alike.
    dict(type='RandomGrayscale', prob=0.2, keep_channels=True, channel_weights=(0.114, 0.587, 0.299)),
    dict(type='GaussianBlur', magnitude_range=(0.1, 2.0), magnitude_std='inf', prob=0.5),  # our choice
    dict(type='Solarize', thr=128, prob=0.5),  # our choice: as on CIFAR
]
one_view = [load, *weak_view, dict(type='PackInputs')]
three_views = [
    load,
    dict(type='MultiView', num_views=[1, 2], transforms=[weak_view, strong_view]),
    dict(type='PackInputs'),
]
test_pipeline = [
    load,
    dict(type='ResizeEdge', scale=320, edge='short'),
    dict(type='CenterCrop', crop_size=299),
    dict(type='PackInputs'),
]
# ImageNet's mean and deviation.
data_preprocessor = dict(
    type='MultiViewDataPreprocessor',
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    to_rgb=True,
    channels_last=True,
)
