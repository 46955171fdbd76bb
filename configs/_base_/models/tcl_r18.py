# TCL with the paper's network. Datasets with other than 10 classes set head.num_classes.
model = dict(
    type='TCL',
    bfloat16=True,  # in backbone and neck, where the device has it
    backbone=dict(type='PreActResNet', depth=18),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='TCLHead', num_classes=10, in_channels=512),
)

# Which labels are right, found out anew after each epoch.
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='OODDetector'))]
