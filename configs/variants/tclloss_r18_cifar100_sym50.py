_base_ = '../tcl_r18_cifar100_sym50.py'

# Our choice: score log p(y|x), GMM as in DivideMix's code.
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='SmallLossDetector', per_class=True))]
