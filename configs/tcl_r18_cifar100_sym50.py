_base_ = [
    '_base_/models/tcl_r18.py',
    '_base_/datasets/tcl_cifar100.py',
    '_base_/schedules/tcl_200e.py',
    '_base_/default_runtime.py',
]

# From the one published configuration for CIFAR-100, that of 90 % noise: our choice.
model = dict(head=dict(num_classes=100, contrast_weight=0.25, scale_mix=1.0))
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='OODDetector', per_class=True))]
train_dataloader = dict(dataset=dict(noise=dict(type='SymmetricNoise', rate=0.5, seed=0)))
