_base_ = '../ce_r18_cifar100_sym90.py'

model = dict(head=dict(loss=dict(type='GeneralizedCrossEntropyLoss', q=0.7)))
