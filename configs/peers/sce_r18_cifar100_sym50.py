_base_ = '../ce_r18_cifar100_sym50.py'

model = dict(head=dict(loss=dict(type='SymmetricCrossEntropyLoss', alpha=6.0, beta=0.1)))
