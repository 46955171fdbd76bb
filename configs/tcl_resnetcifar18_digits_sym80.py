# Another backbone by config alone: mmpretrain's post-activation ResNet, at the width of PreActResNet here.
_base_ = 'tcl_digits_sym80.py'

model = dict(
    backbone=dict(_delete_=True, type='ResNet_CIFAR', depth=18, stem_channels=8, base_channels=8),
    head=dict(in_channels=64),
)
