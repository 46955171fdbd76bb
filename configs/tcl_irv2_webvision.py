# Inception-ResNet-v2 on mini-WebVision at 299 pixels, as in most of the literature; it needs timm. TCL's own network
# and image size are not known.
_base_ = [
    '_base_/models/tcl_irv2.py',
    '_base_/datasets/tcl_webvision_299.py',
    '_base_/schedules/webvision_80e.py',
    '_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=50, warmup_epochs=8))  # our choice: a tenth of the epochs, as on CIFAR
