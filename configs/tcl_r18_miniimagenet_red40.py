# PreActResNet-18 on mini-ImageNet with 40 % red noise at 32 pixels, with the schedule and the views for CIFAR, and the
# losses and the detector at their defaults: w is scaled as in the published code, and the contrast weighed as in the
# formula. The paper has no recipe for it. Other rates: train_dataloader.dataset.dataset.rate, from 0.0 to 0.8.
_base_ = [
    '_base_/models/tcl_r18.py',  # our choice
    '_base_/datasets/tcl_miniimagenet.py',
    '_base_/schedules/tcl_200e.py',  # our choice
    '_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=100))
train_dataloader = dict(dataset=dict(dataset=dict(colour='red', rate=0.4)))
