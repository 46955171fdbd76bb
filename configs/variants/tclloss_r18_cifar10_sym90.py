_base_ = '../tcl_r18_cifar10_sym90.py'

# Our choice: score log p(y|x), GMM as in DivideMix's code.
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='SmallLossDetector'))]
