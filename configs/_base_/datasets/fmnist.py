# Fashion-MNIST (28 x 28, grey, as three equal channels) as plain training sees it. data_root may hold mmpretrain's
# layout, or just the four .gz files, such as /usr/share/datasets/fashion-mnist.
dataset_type = 'FashionMNISTRGB'
data_root = 'data/fashion_mnist'
weak_view = [
    dict(type='BatchRandomCrop', size=28, padding=2),
    dict(type='BatchRandomFlip', prob=0.5),
]
# Views are cut on the device, a batch at once; see docs/performance.md.
data_preprocessor = dict(
    type='BatchViewDataPreprocessor',
    views=[dict(num_views=1, transforms=weak_view)],
    num_classes=10,
    mean=[72.94] * 3,
    std=[90.02] * 3,
    to_rgb=False,
    channels_last=True,
)

train_pipeline = [dict(type='PackInputs')]
test_pipeline = [dict(type='PackInputs')]

train_dataloader = dict(
    batch_size=256,
    num_workers=8,
    dataset=dict(
        type='NoisyLabelDataset',
        dataset=dict(type=dataset_type, data_root=data_root, split='train', pipeline=train_pipeline),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
    drop_last=True,
)
val_dataloader = dict(
    batch_size=512,
    num_workers=4,
    dataset=dict(type=dataset_type, data_root=data_root, split='test', pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='Accuracy', topk=1)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
