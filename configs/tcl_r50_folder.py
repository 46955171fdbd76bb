# Your own images: data_root/train/<class>/* and data_root/val/<class>/*. Copy this file, and set data_root and
# classes. All of the recipe is our choice.
_base_ = [
    '_base_/models/tcl_resnet50.py',
    '_base_/datasets/views_224.py',
    '_base_/schedules/finetune_30e.py',
    '_base_/default_runtime.py',
]

data_root = 'data/my_images'
classes = ['class_0', 'class_1', 'class_2']  # the folders, sorted; another number of them in train or val is refused
num_classes = len(classes)

model = dict(head=dict(num_classes=num_classes, warmup_epochs=3))
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    dataset=dict(
        type='NoisyLabelDataset',
        num_classes=num_classes,
        dataset=dict(
            type='CustomDataset',
            data_root=data_root,
            data_prefix='train',
            classes=classes,
            pipeline=_base_.three_views,
        ),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
    drop_last=True,
)
val_dataloader = dict(
    batch_size=128,
    num_workers=4,
    dataset=dict(
        type='CustomDataset', data_root=data_root, data_prefix='val', classes=classes, pipeline=_base_.test_pipeline
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='Accuracy', topk=1)
test_dataloader = val_dataloader
test_evaluator = val_evaluator
