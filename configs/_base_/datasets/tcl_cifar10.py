# CIFAR-10 in three views.
_base_ = 'cifar10.py'

weak_view = [
    dict(type='BatchRandomCrop', size=32, padding=4),
    dict(type='BatchRandomFlip', prob=0.5),
]
strong_view = [
    dict(type='BatchRandomResizedCrop', size=32, scale=(0.2, 1.0)),
    dict(type='BatchRandomFlip', prob=0.5),
    dict(type='BatchColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, prob=0.8),
    dict(type='BatchRandomGrayscale', prob=0.2),
    dict(type='BatchRandomSolarize', threshold=128, prob=0.5),
]
data_preprocessor = dict(
    views=[dict(num_views=1, transforms=weak_view), dict(num_views=2, transforms=strong_view)],
)
