_base_ = '../ce_r18_cifar10_asym40.py'

model = dict(head=dict(loss=dict(type='GeneralizedCrossEntropyLoss', q=0.7)))
