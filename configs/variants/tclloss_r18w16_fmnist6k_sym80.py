_base_ = '../tcl_r18w16_fmnist6k_sym80.py'

# Our choice: score log p(y|x), GMM as in DivideMix's code.
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='SmallLossDetector'))]
