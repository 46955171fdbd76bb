# Your own images, in folders: python tools/train.py configs/tcl_r50_folder.py --cfg-options data_root=PATH
# What is 'auto:...' here, tools/train.py finds in the folder or chooses for the machine, says in the log, and writes
# into the config in the work directory; docs/datasets.md has the rules. What stands here instead, or in --cfg-options,
# is kept. All of the recipe is our choice.
_base_ = [
    '_base_/models/tcl_resnet50.py',
    '_base_/datasets/views_auto.py',
    '_base_/schedules/finetune_30e.py',
    '_base_/default_runtime.py',
]

auto_setup = dict(type='ImageFolderSetup', lr=0.005)  # for 32 images
data_root = 'auto:data_root'
classes = 'auto:classes'
image_size = 'auto:image_size'

model = dict(head=dict(num_classes='auto:num_classes', warmup_epochs='auto:warmup_epochs'))
data_preprocessor = dict(num_classes='auto:num_classes')
train_dataloader = dict(
    batch_size='auto:batch_size',
    num_workers='auto:num_workers',
    dataset=dict(
        type='NoisyLabelDataset',
        num_classes='auto:num_classes',
        dataset=dict(
            type='CSVDataset',
            ann_file='auto:train_list',
            data_root='auto:data_root',
            classes='auto:classes',
            pipeline=_base_.three_views,
        ),
    ),
    sampler=dict(type='DefaultSampler', shuffle=True),
    drop_last=True,
)
val_dataloader = dict(
    batch_size='auto:val_batch_size',
    num_workers='auto:num_workers',
    dataset=dict(
        type='CSVDataset',
        ann_file='auto:val_list',
        data_root='auto:data_root',
        classes='auto:classes',
        pipeline=_base_.test_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
val_evaluator = dict(type='Accuracy', topk=1)
test_dataloader = dict(
    batch_size='auto:val_batch_size',
    num_workers='auto:num_workers',
    dataset=dict(
        type='CSVDataset',
        ann_file='auto:test_list',
        data_root='auto:data_root',
        classes='auto:classes',
        pipeline=_base_.test_pipeline,
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr='auto:lr'))
auto_scale_lr = dict(base_batch_size='auto:total_batch_size', enable=False)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2, by_epoch=True, begin=0, end=2),
    dict(type='CosineAnnealingLR', eta_min_ratio=0.01, by_epoch=True, begin=0, end='auto:max_epochs'),
]
train_cfg = dict(max_epochs='auto:max_epochs')
default_hooks = dict(logger=dict(interval=10))  # epochs are short, and steps on a CPU slow
