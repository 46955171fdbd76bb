_base_ = '../tcl_r18_cifar10_asym40.py'

model = dict(head=dict(type='TCLEnsembleHead'))
custom_hooks = [
    dict(type='LabelNoiseHook', detector=dict(type='OODDetector')),
    dict(type='SampleStateHook'),
]
