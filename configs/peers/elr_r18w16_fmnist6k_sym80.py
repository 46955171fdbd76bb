_base_ = '../ce_r18w16_fmnist6k_sym80.py'

# beta and lam are the published ones for CIFAR-10 under symmetric noise.
model = dict(head=dict(type='ELRHead', beta=0.7, lam=3.0))
custom_hooks = [dict(type='LabelNoiseHook', interval=5), dict(type='SampleStateHook')]
