# Plain cross-entropy with ResNet-50, pretrained on ImageNet, to compare with. Datasets set head.num_classes.
model = dict(
    type='FastImageClassifier',
    bfloat16=True,  # in backbone and neck, where the device has it
    # our choice: usual on Clothing1M
    backbone=dict(type='ResNet', depth=50, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=2048),
)
