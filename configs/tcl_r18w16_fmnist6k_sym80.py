# Fashion-MNIST for a CPU: the first 6,000 training images, a quarter of the paper's width, and a stem of stride 2.
_base_ = [
    '_base_/models/tcl_r18w16.py',
    '_base_/datasets/tcl_fmnist.py',
    '_base_/schedules/small_60e.py',
    '_base_/default_runtime.py',
]

model = dict(backbone=dict(stem_stride=2), head=dict(warmup_epochs=10))
train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    dataset=dict(dataset=dict(indices=6000), noise=dict(type='SymmetricNoise', rate=0.8, seed=0)),
)
