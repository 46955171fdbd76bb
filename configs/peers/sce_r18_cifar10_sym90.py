_base_ = '../ce_r18_cifar10_sym90.py'

model = dict(head=dict(loss=dict(type='SymmetricCrossEntropyLoss', alpha=0.1, beta=1.0)))
