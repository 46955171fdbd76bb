# A pretrained network on a few hundred thousand images or fewer. All of it is our choice.
optim_wrapper = dict(
    optimizer=dict(
        type='SGD',
        lr=0.005,  # our choice, for 32 images
        momentum=0.9,
        weight_decay=5e-4,  # our choice
        fused=True,
    )
)
auto_scale_lr = dict(base_batch_size=32, enable=True)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=2),  # our choice
    dict(type='CosineAnnealingLR', T_max=29, eta_min_ratio=0.01, by_epoch=True, begin=1, end=30),  # our choice
]

train_cfg = dict(by_epoch=True, max_epochs=30, val_interval=1)  # our choice
val_cfg = dict()
test_cfg = dict()
sync_bn = 'torch'  # as TCL on CIFAR
