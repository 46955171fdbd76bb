# The twin of tcl_r18_webvision.py.
_base_ = [
    '_base_/models/ce_resnet18.py',
    '_base_/datasets/webvision.py',
    '_base_/schedules/webvision_130e.py',
    '_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=50))
