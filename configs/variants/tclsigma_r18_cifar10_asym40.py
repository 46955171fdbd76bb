_base_ = '../tcl_r18_cifar10_asym40.py'

# Our choice: the trace of Eq. 4, as Eq. 5 divides by a number.
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='OODDetector', sigma='estimated'))]
