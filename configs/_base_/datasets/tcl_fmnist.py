# Fashion-MNIST in three views. Grey images have neither hue nor saturation to jitter.
_base_ = 'fmnist.py'

weak_view = [
    dict(type='BatchRandomCrop', size=28, padding=2),
    dict(type='BatchRandomFlip', prob=0.5),
]
# Our choice: a fifth of the image, the least that a crop has on CIFAR, does not tell a coat from a pullover, and under
# asymmetric noise both become one (docs/results.md).
strong_view = [
    dict(type='BatchRandomResizedCrop', size=28, scale=(0.5, 1.0)),
    dict(type='BatchRandomFlip', prob=0.5),
    dict(type='BatchColorJitter', brightness=0.4, contrast=0.4, prob=0.8),
]
data_preprocessor = dict(
    views=[dict(num_views=1, transforms=weak_view), dict(num_views=2, transforms=strong_view)],
)
