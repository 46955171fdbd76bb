# Plain cross-entropy with ResNet-18 for images of 224 pixels, to compare with. Datasets set head.num_classes.
model = dict(
    type='FastImageClassifier',
    bfloat16=True,  # in backbone and neck, where the device has it
    backbone=dict(type='ResNet', depth=18),  # our choice: Sel-CL's
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=512),
)
