# ResNet-50, pretrained on ImageNet, on Clothing1M, as in most of the literature; TCL's own set-up is not known.
_base_ = [
    '_base_/models/tcl_resnet50.py',
    '_base_/datasets/tcl_clothing1m.py',
    '_base_/schedules/clothing1m_80e.py',
    '_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=14, warmup_epochs=1))  # our choice: DivideMix's
# A pass over a million images takes longer than an epoch of 32,000.
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='OODDetector'), interval=5)]  # our choice
# Its validation set has labels that people have checked, and is not the test set.
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1'))
