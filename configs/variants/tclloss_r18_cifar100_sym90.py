_base_ = '../tcl_r18_cifar100_sym90.py'

custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='SmallLossDetector', per_class=True))]
