_base_ = '../ce_r18w16_fmnist6k_sym80.py'

# Cross-entropy for a quarter of the epochs, as long as TCL's warm-up; then the matrix is estimated, once.
model = dict(head=dict(loss=dict(type='ForwardCorrectionLoss', num_classes=10)))
custom_hooks = [
    dict(type='LabelNoiseHook'),
    dict(type='TransitionMatrixHook', source='anchors', warmup_epochs=5, percentile=97.0),
]
