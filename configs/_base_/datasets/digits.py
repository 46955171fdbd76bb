# scikit-learn's digits at 12 x 12, grey as three equal channels: 1,437 to train on, 360 to test.
dataset_type = 'SklearnDigits'
weak_view = [dict(type='BatchRandomCrop', size=12, padding=1)]
# Views are cut on the device, a batch at once; see docs/performance.md.
data_preprocessor = dict(
    type='BatchViewDataPreprocessor',
    views=[dict(num_views=1, transforms=weak_view)],
    num_classes=10,
    mean=[77.9] * 3,
    std=[81.4] * 3,
    channels_last=True,
)

train_pipeline = [dict(type='Resize', scale=12), dict(type='PackInputs')]
test_pipeline = [dict(type='Resize', scale=12), dict(type='PackInputs')]

train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    dataset=dict(
        type='NoisyLabelDataset',
        dataset=dict(type=dataset_type, split='train', pipeline=train_pipeline),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
    drop_last=True,
)
val_dataloader = dict(
    batch_size=512,
    num_workers=0,
    dataset=dict(type=dataset_type, split='test', pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='Accuracy', topk=1)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
