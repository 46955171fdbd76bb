_base_ = '../tcl_r18_cifar10_sym50.py'

custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='SmallLossDetector'))]
