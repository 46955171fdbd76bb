_base_ = '../ce_r18_cifar100_sym90.py'

# Cross-entropy for a tenth of the epochs, about as long as TCL's warm-up; then the matrix is estimated, once.
# The most confident sample of each class: a class is 1 % of the samples, so that the 97th percentile is none of it.
model = dict(head=dict(loss=dict(type='ForwardCorrectionLoss', num_classes=100)))
custom_hooks = [
    dict(type='LabelNoiseHook'),
    dict(type='TransitionMatrixHook', source='anchors', warmup_epochs=20, percentile=None),
]
