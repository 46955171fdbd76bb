# Food-101N in three views, tested on Food-101's test set.
_base_ = 'views_224.py'

data_root = 'data/food101n'

data_preprocessor = dict(num_classes=101)

train_dataloader = dict(
    batch_size=32,  # our choice; on each GPU
    num_workers=8,
    dataset=dict(
        type='NoisyLabelDataset',
        dataset=dict(type='Food101N', data_root=data_root, pipeline=_base_.three_views),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
    drop_last=True,
)
val_dataloader = dict(
    batch_size=128,
    num_workers=8,
    dataset=dict(type='Food101', data_root='data/food-101', split='test', pipeline=_base_.test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
