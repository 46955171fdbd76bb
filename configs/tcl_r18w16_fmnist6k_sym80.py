# The first 6,000 training images and a quarter of the paper's width: Fashion-MNIST within an hour on two CPU cores.
_base_ = [
    '_base_/models/tcl_r18_narrow.py',
    '_base_/datasets/tcl_fmnist.py',
    '_base_/schedules/small_40e.py',
    '_base_/default_runtime.py',
]

model = dict(head=dict(warmup_epochs=8))
train_dataloader = dict(
    batch_size=128,
    num_workers=1,
    dataset=dict(dataset=dict(indices=6000), noise=dict(type='SymmetricNoise', rate=0.8, seed=0)),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),
    dict(type='CosineAnnealingLR', T_max=26, eta_min_ratio=0.01, by_epoch=True, begin=4, end=30),
]
train_cfg = dict(max_epochs=30, val_interval=2)
