# Fashion-MNIST in three views. Grey images have neither hue nor saturation to jitter.
_base_ = 'fmnist.py'

weak_view = [
    dict(type='BatchRandomCrop', size=28, padding=2),
    dict(type='BatchRandomFlip', prob=0.5),
]
strong_view = [
    dict(type='BatchRandomResizedCrop', size=28, scale=(0.2, 1.0)),
    dict(type='BatchRandomFlip', prob=0.5),
    dict(type='BatchColorJitter', brightness=0.4, contrast=0.4, prob=0.8),
]
data_preprocessor = dict(
    views=[dict(num_views=1, transforms=weak_view), dict(num_views=2, transforms=strong_view)],
)
