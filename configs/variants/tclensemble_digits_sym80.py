_base_ = '../tcl_digits_sym80.py'

model = dict(head=dict(type='TCLEnsembleHead'))
custom_hooks = [
    dict(type='LabelNoiseHook', detector=dict(type='OODDetector')),
    dict(type='SampleStateHook'),
]
