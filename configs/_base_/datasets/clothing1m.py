# Clothing1M as plain training sees it. An epoch is a thousand batches of 32, balanced by given labels, as DivideMix's.
_base_ = 'views_224.py'

dataset_type = 'Clothing1M'
data_root = 'data/clothing1m'
data_preprocessor = dict(
    num_classes=14,
    # our choice: the data set's own, usual in the literature
    mean=[177.4545, 166.6935, 162.4605],
    std=[79.3815, 81.396, 81.957],
)

train_dataloader = dict(
    batch_size=32,  # our choice: DivideMix's; on each GPU
    num_workers=8,
    dataset=dict(
        type='NoisyLabelDataset',
        dataset=dict(type=dataset_type, data_root=data_root, split='train', pipeline=_base_.one_view),
    ),
    sampler=dict(type='ClassBalancedSubsetSampler', num_samples=32_000),  # our choice: DivideMix's
    drop_last=True,
)
val_dataloader = dict(
    batch_size=128,
    num_workers=8,
    dataset=dict(type=dataset_type, data_root=data_root, split='val', pipeline=_base_.test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='Accuracy', topk=1)
test_dataloader = dict(
    batch_size=128,
    num_workers=8,
    dataset=dict(type=dataset_type, data_root=data_root, split='test', pipeline=_base_.test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_evaluator = val_evaluator
