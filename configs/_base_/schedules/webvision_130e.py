# mini-WebVision with ResNet-18: Sel-CL's number of epochs, and TCL's learning rate on CIFAR. The paper's values here
# are not known.
optim_wrapper = dict(
    optimizer=dict(
        type='SGD',
        lr=0.03,  # our choice: for 256 images, TCL's rule on CIFAR
        momentum=0.9,
        weight_decay=1e-4,  # our choice
        fused=True,
    )
)
auto_scale_lr = dict(base_batch_size=256, enable=True)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=5),  # our choice
    dict(type='CosineAnnealingLR', T_max=126, eta_min_ratio=0.01, by_epoch=True, begin=4, end=130),  # our choice
]

train_cfg = dict(by_epoch=True, max_epochs=130, val_interval=1)  # our choice: Sel-CL's
val_cfg = dict()
test_cfg = dict()
sync_bn = 'torch'  # as TCL on CIFAR
