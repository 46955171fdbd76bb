# The first 6,000 training images and a quarter of the paper's width: Fashion-MNIST in half an hour on two CPU cores.
_base_ = [
    '_base_/models/tcl_r18w16.py',
    '_base_/datasets/tcl_fmnist.py',
    '_base_/schedules/small_20e.py',
    '_base_/default_runtime.py',
]

model = dict(head=dict(warmup_epochs=5))
train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    dataset=dict(dataset=dict(indices=6000), noise=dict(type='SymmetricNoise', rate=0.8, seed=0)),
)
