_base_ = '../tcl_r18_cifar10_asym40.py'

# Our choice: 250 neighbors and two rounds, as in MOIT.
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='KNNDetector'))]
