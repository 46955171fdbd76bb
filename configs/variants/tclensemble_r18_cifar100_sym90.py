_base_ = '../tcl_r18_cifar100_sym90.py'

# Our choice: the averages' momentum, 0.6, that of temporal ensembling.
model = dict(head=dict(type='TCLEnsembleHead'))
custom_hooks = [
    dict(type='LabelNoiseHook', detector=dict(type='OODDetector', per_class=True)),
    dict(type='SampleStateHook'),
]
