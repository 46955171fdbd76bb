# CIFAR-10N: labels by people. Recipe: the published one for CIFAR-10; the paper has none for these labels.
_base_ = [
    '_base_/models/tcl_r18.py',
    '_base_/datasets/tcl_cifar10.py',
    '_base_/schedules/tcl_200e.py',  # our choice
    '_base_/default_runtime.py',
]

# The published run on 4 GPUs summed no gradients over GPUs, which weighed the contrast by 1/4 in effect.
model = dict(head=dict(contrast_weight=0.25))  # our choice
train_dataloader = dict(dataset=dict(label_file='data/cifar10/CIFAR-10_human.pt', label_key='random_label1'))
