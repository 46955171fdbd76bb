# There is no published configuration for this noise: it is our choice to take that of sym20 and sym90.
_base_ = [
    '_base_/models/tcl_r18.py',
    '_base_/datasets/tcl_cifar10.py',
    '_base_/schedules/tcl_200e.py',
    '_base_/default_runtime.py',
]

# The published run on 4 GPUs summed no gradients over GPUs, which weighed the contrast by 1/4 in effect.
model = dict(head=dict(contrast_weight=0.25))
# SSR's total noise of 60 %, half of it open-set.
train_dataloader = dict(
    dataset=dict(
        noise=dict(type='SymmetricNoise', rate=0.3, seed=0),
        open_set=dict(
            type='OpenSetNoise',
            rate=0.3,
            seed=0,
            dataset=dict(type='CIFAR100', data_root='data/cifar100', split='train'),
        ),
    )
)
