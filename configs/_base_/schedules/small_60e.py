# As small_24e.py, for longer trainings.
_base_ = 'small_24e.py'

param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),
    dict(type='CosineAnnealingLR', T_max=56, eta_min_ratio=0.01, by_epoch=True, begin=4, end=60),
]
# The last ten epochs are all evaluated.
train_cfg = dict(max_epochs=60, val_interval=5, dynamic_intervals=[(51, 1)])
