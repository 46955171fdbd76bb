_base_ = '../ce_r18_cifar10_sym50.py'

# The matrix is counted from true and given labels: an oracle.
model = dict(head=dict(loss=dict(type='ForwardCorrectionLoss', num_classes=10)))
custom_hooks = [dict(type='LabelNoiseHook'), dict(type='TransitionMatrixHook', source='noise')]
