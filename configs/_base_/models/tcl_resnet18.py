# TCL with ResNet-18 for images of 224 pixels. Datasets set head.num_classes.
model = dict(
    type='TCL',
    bfloat16=True,  # in backbone and neck, where the device has it
    backbone=dict(type='ResNet', depth=18),  # our choice: Sel-CL's
    neck=dict(type='GlobalAveragePooling'),
    # our choice: the contrast weighs as in the formula; in the published run on CIFAR a quarter of that, in effect
    head=dict(type='TCLHead', in_channels=512, contrast_weight=1.0),
)

# Which labels are right, found out anew after each epoch.
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='OODDetector'))]
