_base_ = '../tcl_r18w16_fmnist6k_sym80.py'

# A third of a class, or less, where MOIT has 250 neighbours for CIFAR: our choice.
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='KNNDetector', k=100))]
