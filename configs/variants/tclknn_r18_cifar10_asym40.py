_base_ = '../tcl_r18_cifar10_asym40.py'

custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='KNNDetector'))]
