_base_ = '../ce_r18_cifar10_asym40.py'

# Cross-entropy for a tenth of the epochs, about as long as TCL's warm-up; then the matrix is estimated, once.
model = dict(head=dict(loss=dict(type='ForwardCorrectionLoss', num_classes=10)))
custom_hooks = [
    dict(type='LabelNoiseHook'),
    dict(type='TransitionMatrixHook', source='anchors', warmup_epochs=20, percentile=97.0),
]
