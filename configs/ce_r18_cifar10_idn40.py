_base_ = [
    '_base_/models/ce_r18.py',
    '_base_/datasets/cifar10.py',
    '_base_/schedules/tcl_200e.py',
    '_base_/default_runtime.py',
]

train_dataloader = dict(dataset=dict(noise=dict(type='InstanceDependentNoise', rate=0.4, seed=0)))
