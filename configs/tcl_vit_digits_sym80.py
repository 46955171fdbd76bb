# Another backbone by config alone: a small vision transformer.
_base_ = 'tcl_digits_sym80.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='VisionTransformer',
        arch=dict(embed_dims=96, num_layers=4, num_heads=4, feedforward_channels=192),
        img_size=12,
        patch_size=4,
        out_type='avg_featmap',
    ),
    neck=None,  # the features are vectors already
    head=dict(in_channels=96),
)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=0.05))
