_base_ = '../ce_r18w16_fmnist6k_sym80.py'

# The matrix is counted from true and given labels: an oracle.
model = dict(head=dict(loss=dict(type='ForwardCorrectionLoss', num_classes=10)))
custom_hooks = [dict(type='LabelNoiseHook', interval=5), dict(type='TransitionMatrixHook', source='noise')]
