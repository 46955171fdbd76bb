# PreActResNet-18 on ANIMAL-10N at 64 pixels, with the schedule for CIFAR, and the losses and the detector at their
# defaults: w is scaled as in the published code, and the contrast weighed as in the formula. The paper has no recipe.
_base_ = [
    '_base_/models/tcl_r18.py',  # our choice
    '_base_/datasets/tcl_animal10n.py',
    '_base_/schedules/tcl_200e.py',  # our choice
    '_base_/default_runtime.py',
]

model = dict(backbone=dict(stem_stride=2))  # our choice: feature maps as large as on CIFAR
