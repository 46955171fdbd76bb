# The twin of tcl_r18w16_fmnist6k_sym80.py. It sees the images as they are: with random crops and flips, this narrow
# network memorises few wrong labels within 30 epochs, and a comparison would say little.
_base_ = [
    '_base_/models/ce_r18_narrow.py',
    '_base_/datasets/fmnist.py',
    '_base_/schedules/small_40e.py',
    '_base_/default_runtime.py',
]

data_preprocessor = dict(views=[dict(num_views=1, transforms=[])])
train_dataloader = dict(
    batch_size=128,
    num_workers=1,
    dataset=dict(
        dataset=dict(indices=6000),
        noise=dict(type='SymmetricNoise', rate=0.8, seed=0),
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),
    dict(type='CosineAnnealingLR', T_max=26, eta_min_ratio=0.01, by_epoch=True, begin=4, end=30),
]
train_cfg = dict(max_epochs=30, val_interval=2)
