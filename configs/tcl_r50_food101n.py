# ResNet-50, pretrained on ImageNet, on Food-101N. The paper has no recipe for it.
_base_ = [
    '_base_/models/tcl_resnet50.py',  # our choice
    '_base_/datasets/tcl_food101n.py',
    '_base_/schedules/finetune_30e.py',  # our choice
    '_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=101, warmup_epochs=3))  # our choice: a tenth of the epochs, as on CIFAR
