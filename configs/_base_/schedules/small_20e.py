# As small_24e.py, for more images.
_base_ = 'small_24e.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),
    dict(type='CosineAnnealingLR', T_max=16, eta_min_ratio=0.01, by_epoch=True, begin=4, end=20),
]
train_cfg = dict(max_epochs=20)
