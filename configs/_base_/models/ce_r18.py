# Plain cross-entropy with the network of TCL, to compare with.
model = dict(
    type='FastImageClassifier',
    bfloat16=True,  # in backbone and neck, where the device has it
    backbone=dict(type='PreActResNet', depth=18),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=512),
)

# Without a detector it only measures: how many of the wrong labels has the network memorised?
custom_hooks = [dict(type='LabelNoiseHook')]
