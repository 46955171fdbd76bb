_base_ = '../tcl_r18_cifar10_sym50.py'

# Our choice: the averages' momentum, 0.6, that of temporal ensembling.
model = dict(head=dict(type='TCLEnsembleHead'))
custom_hooks = [
    dict(type='LabelNoiseHook', detector=dict(type='OODDetector')),
    dict(type='SampleStateHook'),
]
