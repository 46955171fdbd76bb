# Another backbone by config alone: a small ConvNeXt.
_base_ = 'tcl_digits_sym80.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ConvNeXt',
        arch=dict(depths=[2, 2, 2], channels=[32, 64, 128]),
        stem_patch_size=2,  # 12 pixels, then 6, 3 and 1
        layer_scale_init_value=0.0,  # off: blocks that start at 1e-6 need longer than this training to wake up
        out_indices=(2,),  # the default is the fourth stage
    ),
    neck=None,  # the features are vectors already
    head=dict(in_channels=128),
)
optim_wrapper = dict(optimizer=dict(_delete_=True, type='AdamW', lr=1e-3, weight_decay=0.05))
