# The twin of tcl_digits_sym50.py. It sees the images as they are: with random crops, this narrow network memorises few
# wrong labels in so many epochs, and a comparison would say little; docs/results.md has both.
_base_ = [
    '_base_/models/ce_r18w8.py',
    '_base_/datasets/digits.py',
    '_base_/schedules/small_24e.py',
    '_base_/default_runtime.py',
]

data_preprocessor = dict(views=[dict(num_views=1, transforms=[])])
train_dataloader = dict(dataset=dict(noise=dict(type='SymmetricNoise', rate=0.5, seed=0)))
