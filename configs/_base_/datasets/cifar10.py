# CIFAR-10 as plain training sees it: one weak view. The noise is for the experiment to choose.
dataset_type = 'CIFAR10'
data_root = 'data/cifar10'
weak_view = [
    dict(type='BatchRandomCrop', size=32, padding=4),
    dict(type='BatchRandomFlip', prob=0.5),
]
# Views are cut on the device, a batch at once; see docs/performance.md.
data_preprocessor = dict(
    type='BatchViewDataPreprocessor',
    views=[dict(num_views=1, transforms=weak_view)],
    num_classes=10,
    mean=[125.307, 122.961, 113.8575],
    std=[51.5865, 50.847, 51.255],
    to_rgb=False,  # the images are RGB already
    channels_last=True,
)

train_pipeline = [dict(type='PackInputs')]
test_pipeline = [dict(type='PackInputs')]

train_dataloader = dict(
    batch_size=256,  # on each GPU
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
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
