# The digits in three views. Digits survive neither flips nor solarisation, and grey images have no hue to jitter.
_base_ = 'digits.py'

weak_view = [dict(type='BatchRandomCrop', size=12, padding=1)]
strong_view = [
    dict(type='BatchRandomResizedCrop', size=12, scale=(0.5, 1.0)),
    dict(type='BatchColorJitter', brightness=0.4, contrast=0.4, prob=0.8),
]
data_preprocessor = dict(
    views=[dict(num_views=1, transforms=weak_view), dict(num_views=2, transforms=strong_view)],
)
