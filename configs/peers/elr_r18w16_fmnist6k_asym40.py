_base_ = '../ce_r18w16_fmnist6k_asym40.py'

# beta and lam are the published ones for CIFAR-10 under asymmetric noise.
model = dict(head=dict(type='ELRHead', beta=0.9, lam=1.0))
custom_hooks = [dict(type='LabelNoiseHook', interval=5), dict(type='SampleStateHook')]
