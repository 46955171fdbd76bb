# TCL with timm's Inception-ResNet-v2, from random weights. It needs timm: requirements/optional.txt.
model = dict(
    type='TCL',
    bfloat16=True,  # in backbone and neck, where the device has it
    # our choice: DivideMix's and others'
    backbone=dict(type='TIMMBackbone', model_name='inception_resnet_v2', pretrained=False),
    neck=dict(type='GlobalAveragePooling'),
    # our choice: the contrast weighs as in the formula; in the published run on CIFAR a quarter of that, in effect
    head=dict(type='TCLHead', in_channels=1536, contrast_weight=1.0),
)

# Which labels are right, found out anew after each epoch.
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='OODDetector'))]
