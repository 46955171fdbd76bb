# mini-WebVision with Inception-ResNet-v2: DivideMix's learning rate, batch size and epochs, as TCL's are not known.
optim_wrapper = dict(
    optimizer=dict(
        type='SGD',
        lr=0.01,  # our choice: DivideMix's, for 32 images
        momentum=0.9,
        weight_decay=5e-4,  # our choice
        fused=True,
    )
)
auto_scale_lr = dict(base_batch_size=32, enable=True)

param_scheduler = [dict(type='MultiStepLR', by_epoch=True, milestones=[40], gamma=0.1)]  # our choice

train_cfg = dict(by_epoch=True, max_epochs=80, val_interval=1)  # our choice: DivideMix's
val_cfg = dict()
test_cfg = dict()
sync_bn = 'torch'  # as TCL on CIFAR
