# The twin of tcl_r18w16_fmnist6k_sym80.py. It sees the images as they are: with random crops and flips, this narrow
# network memorises few wrong labels in so many epochs, and a comparison would say little.
_base_ = [
    '_base_/models/ce_r18w16.py',
    '_base_/datasets/fmnist.py',
    '_base_/schedules/small_20e.py',
    '_base_/default_runtime.py',
]

data_preprocessor = dict(views=[dict(num_views=1, transforms=[])])
train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    dataset=dict(dataset=dict(indices=6000), noise=dict(type='SymmetricNoise', rate=0.8, seed=0)),
)
