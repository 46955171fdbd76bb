# CIFAR-100N: labels by people. Recipe: the published one for CIFAR-100; the paper has none for these labels.
_base_ = [
    '_base_/models/tcl_r18.py',
    '_base_/datasets/tcl_cifar100.py',
    '_base_/schedules/tcl_200e.py',  # our choice
    '_base_/default_runtime.py',
]

# From the one published configuration for CIFAR-100, that of 90 % noise.
model = dict(head=dict(num_classes=100, contrast_weight=0.25, scale_mix=1.0))  # our choice
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='OODDetector', per_class=True))]  # our choice
train_dataloader = dict(dataset=dict(label_file='data/cifar100/CIFAR-100_human.pt', label_key='noisy_label'))
