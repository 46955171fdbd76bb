# The twin of tcl_r50_clothing1m.py.
_base_ = [
    '_base_/models/ce_resnet50.py',
    '_base_/datasets/clothing1m.py',
    '_base_/schedules/clothing1m_80e.py',
    '_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=14))
# Its validation set has labels that people have checked, and is not the test set.
default_hooks = dict(checkpoint=dict(save_best='accuracy/top1'))
