# Mini-ImageNet with red noise from the web, at 32 x 32 pixels as FaMUS has it. Its three views are those of CIFAR.
_base_ = 'tcl_small_images.py'

dataset_type = 'MiniImageNetCNWL'
data_root = 'data/mini-imagenet'
weak_view = [
    dict(type='BatchRandomCrop', size=32, padding=4),  # our choice
    dict(type='BatchRandomFlip', prob=0.5),
]
strong_view = [
    dict(type='BatchRandomResizedCrop', size=32, scale=(0.2, 1.0)),  # our choice
    dict(type='BatchRandomFlip', prob=0.5),
    *_base_.strong_colours,
]
data_preprocessor = dict(
    views=[dict(num_views=1, transforms=weak_view), dict(num_views=2, transforms=strong_view)],
    num_classes=100,
)
# Images that have 32 x 32 pixels already are left as they are; of others each pixel is the mean of what it covers.
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(32, 32), interpolation='area'),
    dict(type='PackInputs'),
]

train_dataloader = dict(
    batch_size=256,  # our choice: as on CIFAR, on each GPU
    num_workers=8,
    dataset=dict(
        type='NoisyLabelDataset',
        dataset=dict(type=dataset_type, data_root=data_root, split='train', pipeline=pipeline),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
    drop_last=True,
)
val_dataloader = dict(
    batch_size=512,
    num_workers=4,
    dataset=dict(type=dataset_type, data_root=data_root, split='val', pipeline=pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = val_dataloader
