# For small data sets and networks, on a CPU too.
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.06, momentum=0.9, weight_decay=1e-3, fused=True))
auto_scale_lr = dict(base_batch_size=64, enable=True)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),
    dict(type='CosineAnnealingLR', T_max=20, eta_min_ratio=0.01, by_epoch=True, begin=4, end=24),
]

train_cfg = dict(by_epoch=True, max_epochs=24, val_interval=1)
val_cfg = dict()
test_cfg = dict()
