# Clothing1M: DivideMix's schedule, as TCL's is not known. An epoch is the subset that the sampler draws.
optim_wrapper = dict(
    optimizer=dict(
        type='SGD',
        lr=0.002,  # our choice: DivideMix's, for 32 images
        momentum=0.9,
        weight_decay=1e-3,  # our choice: DivideMix's
        fused=True,
    )
)
auto_scale_lr = dict(base_batch_size=32, enable=True)

param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[40], gamma=0.1)]  # our choice: DivideMix's

train_cfg = dict(by_epoch=True, max_epochs=80, val_interval=1)  # our choice: DivideMix's
val_cfg = dict()
test_cfg = dict()
sync_bn = 'torch'  # as TCL on CIFAR
