_base_ = '../tcl_r18_cifar10_sym90.py'

custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='OODDetector', sigma='estimated'))]
