# mini-WebVision (50 classes, images found by Google) at 224 pixels, as plain training sees it.
_base_ = 'views_224.py'

dataset_type = 'WebVision'
data_root = 'data/webvision'
data_preprocessor = dict(num_classes=50)

train_dataloader = dict(
    batch_size=64,  # our choice: Sel-CL's; on each GPU
    num_workers=8,
    dataset=dict(
        type='NoisyLabelDataset',
        dataset=dict(type=dataset_type, data_root=data_root, split='train', pipeline=_base_.one_view),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
    drop_last=True,
)
val_dataloader = dict(
    batch_size=128,
    num_workers=4,
    dataset=dict(type=dataset_type, data_root=data_root, split='val', pipeline=_base_.test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
