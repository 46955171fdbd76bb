# The digits in three views. Digits survive neither flips nor solarisation, and grey images have no hue to jitter.
_base_ = 'digits.py'

weak_view = [
    dict(type='Resize', scale=16),
    dict(type='RandomCrop', crop_size=16, padding=1),
]
strong_view = [
    dict(type='RandomResizedCrop', scale=16, crop_ratio_range=(0.5, 1.0)),
    dict(
        type='RandomApply',
        prob=0.8,
        transforms=[dict(type='ColorJitter', brightness=0.4, contrast=0.4, backend='cv2')],
    ),
]
train_pipeline = [
    dict(type='MultiView', num_views=[1, 2], transforms=[weak_view, strong_view]),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(dataset=dict(pipeline=train_pipeline)))
