# ResNet-18 on mini-WebVision at 224 pixels, the network and image size of Sel-CL; TCL's own are not known.
_base_ = [
    '_base_/models/tcl_resnet18.py',
    '_base_/datasets/tcl_webvision.py',
    '_base_/schedules/webvision_130e.py',
    '_base_/default_runtime.py',
]

model = dict(head=dict(num_classes=50, warmup_epochs=13))  # our choice: a tenth of the epochs, as on CIFAR
