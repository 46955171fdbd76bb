# The twin of tcl_r18w16_fmnist6k_sym80.py, on the weak view.
_base_ = [
    '_base_/models/ce_r18w16.py',
    '_base_/datasets/fmnist.py',
    '_base_/schedules/small_60e.py',
    '_base_/default_runtime.py',
]

model = dict(backbone=dict(stem_stride=2))
train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    dataset=dict(dataset=dict(indices=6000), noise=dict(type='SymmetricNoise', rate=0.8, seed=0)),
)
custom_hooks = [dict(type='LabelNoiseHook', interval=5)]
