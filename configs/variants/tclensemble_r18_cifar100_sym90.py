_base_ = '../tcl_r18_cifar100_sym90.py'

model = dict(head=dict(type='TCLEnsembleHead'))
custom_hooks = [
    dict(type='LabelNoiseHook', detector=dict(type='OODDetector', per_class=True)),
    dict(type='SampleStateHook'),
]
