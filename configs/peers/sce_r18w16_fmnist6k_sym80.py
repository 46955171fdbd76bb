_base_ = '../ce_r18w16_fmnist6k_sym80.py'

model = dict(head=dict(loss=dict(type='SymmetricCrossEntropyLoss', alpha=0.1, beta=1.0)))
