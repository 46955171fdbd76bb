_base_ = '../ce_r18_cifar100_sym90.py'

# beta and lam are the published ones for CIFAR-100.
model = dict(head=dict(type='ELRHead', beta=0.9, lam=7.0))
custom_hooks = [dict(type='LabelNoiseHook'), dict(type='SampleStateHook')]
