_base_ = [
    '_base_/models/ce_r18.py',
    '_base_/datasets/cifar100.py',
    '_base_/schedules/tcl_200e.py',
    '_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=100))
train_dataloader = dict(dataset=dict(noise=dict(type='SymmetricNoise', rate=0.8, seed=0)))
