_base_ = '../ce_r18_cifar10_asym40.py'

model = dict(head=dict(loss=dict(type='SymmetricCrossEntropyLoss', alpha=0.1, beta=1.0)))
