_base_ = [
    '_base_/models/ce_r18.py',
    '_base_/datasets/cifar10.py',
    '_base_/schedules/tcl_200e.py',
    '_base_/default_runtime.py',
]

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
