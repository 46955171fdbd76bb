# TCL with ResNet-50, pretrained on ImageNet. Datasets set head.num_classes.
model = dict(
    type='TCL',
    bfloat16=True,  # in backbone and neck, where the device has it
    # our choice: usual on Clothing1M
    backbone=dict(type='ResNet', depth=50, init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
    neck=dict(type='GlobalAveragePooling'),
    # our choice: the contrast weighs as in the formula; in the published run on CIFAR a quarter of that, in effect
    head=dict(type='TCLHead', in_channels=2048, contrast_weight=1.0),
)

# Which labels are right, found out anew after each epoch.
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='OODDetector'))]
