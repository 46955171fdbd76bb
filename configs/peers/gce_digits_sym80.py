_base_ = '../ce_digits_sym80.py'

model = dict(head=dict(loss=dict(type='GeneralizedCrossEntropyLoss', q=0.7)))
