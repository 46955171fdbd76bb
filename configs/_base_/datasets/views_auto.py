# As views_224.py, at a size that auto_setup chooses.
_base_ = 'views_224.py'

weak_view = [
    dict(type='ResizeEdge', scale='auto:resize_edge', edge='short'),
    dict(type='RandomCrop', crop_size='auto:image_size'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
]
strong_view = [
    dict(type='RandomResizedCrop', scale='auto:image_size', crop_ratio_range=(0.2, 1.0)),
    *_base_.strong_view[1:],
]
one_view = [_base_.load, *weak_view, dict(type='PackInputs')]
three_views = [
    _base_.load,
    dict(type='MultiView', num_views=[1, 2], transforms=[weak_view, strong_view]),
    dict(type='PackInputs'),
]
test_pipeline = [
    _base_.load,
    dict(type='ResizeEdge', scale='auto:resize_edge', edge='short'),
    dict(type='CenterCrop', crop_size='auto:image_size'),
    dict(type='PackInputs'),
]
