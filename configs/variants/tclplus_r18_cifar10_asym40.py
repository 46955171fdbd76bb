# The second stage, from the checkpoint of the first. The published code has no config for it: epochs, learning rate,
# and detectors are our choice.
_base_ = '../tcl_r18_cifar10_asym40.py'

load_from = 'work_dirs/tcl_r18_cifar10_asym40/epoch_200.pth'
data_preprocessor = dict(views=[dict(num_views=1, transforms={{_base_.weak_view}})])
model = dict(type='TCLPlus', mixup_alpha=1.0, bootstrap_epoch=30, bootstrap_weight=0.2)
custom_hooks = [
    dict(type='RelabelHook', detector=dict(type='OODDetector')),
    dict(type='LabelNoiseHook', detector=dict(type='SmallLossDetector')),
]
optim_wrapper = dict(optimizer=dict(lr=0.001))  # for 256 images
auto_scale_lr = dict(base_batch_size=256)
param_scheduler = []
train_cfg = dict(max_epochs=70)
