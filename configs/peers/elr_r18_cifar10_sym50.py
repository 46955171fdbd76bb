_base_ = '../ce_r18_cifar10_sym50.py'

# beta and lam are the published ones for CIFAR-10 under symmetric noise.
model = dict(head=dict(type='ELRHead', beta=0.7, lam=3.0))
custom_hooks = [dict(type='LabelNoiseHook'), dict(type='SampleStateHook')]
