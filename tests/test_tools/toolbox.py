# SPDX-License-Identifier: Apache-2.0
"""The tools as modules, and a config small enough to build in a moment."""

import importlib.util
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

DIGITS = ROOT / 'configs' / 'tcl_digits_sym80.py'

# Channels of the first stage. Not fewer: torch 2.14.1 corrupts memory in the channels-last backward pass of a 1x1
# convolution of stride 2 from 4 channels, on CPUs without AVX-512.
NARROW = 8

# The digits config cut down to seconds: narrow, on a few images, and past its warm-up after one epoch.
TINY = (
    f'model.backbone.base_channels={NARROW}',
    f'model.head.in_channels={8 * NARROW}',
    'train_dataloader.batch_size=16',
    'train_dataloader.num_workers=0',
    'train_dataloader.dataset.dataset.indices=64',
    'val_dataloader.dataset.indices=50',
    'val_dataloader.num_workers=0',
    'test_dataloader.dataset.indices=50',
    'test_dataloader.num_workers=0',
    'train_cfg.max_epochs=2',
    'default_hooks.logger.interval=1',
)

# Nothing of this package but the data, so that these tests are about the tools.
TOY = """
default_scope = 'mmpretrain'
custom_imports = dict(imports=['tcl_plugin'], allow_failed_imports=False)
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet_CIFAR', depth=18, base_channels=4, stem_channels=4),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=32),
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3, num_classes=10),
)
pipeline = [dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    dataset=dict(type='SklearnDigits', split='train', indices=64, pipeline=pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=0,
    dataset=dict(type='SklearnDigits', split='test', indices=32, pipeline=pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=1)
test_evaluator = val_evaluator
train_cfg = dict(by_epoch=True, max_epochs=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
param_scheduler = dict(type='ConstantLR', factor=1.0)
auto_scale_lr = dict(base_batch_size=64)
sync_bn = 'torch'
default_hooks = dict(visualization=dict(type='VisualizationHook'))
visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])
env_cfg = dict(dist_cfg=dict(backend='nccl'))
"""


# Images as they are, statistics that stay, and no other chance: what several processes do, one does too.
STILL = f"""
_base_ = [{str(DIGITS)!r}]
custom_imports = dict(imports=['tcl_plugin', 'rank_faults', 'combination_cases.workers'], allow_failed_imports=False)
model = dict(
    backbone=dict(base_channels={NARROW}),
    head=dict(in_channels={8 * NARROW}, dropout=0.0, warmup_epochs=1),
    mixup_alpha=0.0,
    bfloat16=False,
)
data_preprocessor = dict(views=[dict(num_views=3, transforms=[])])
train_dataloader = dict(batch_size=8, num_workers=0, drop_last=False, dataset=dict(dataset=dict(indices=20)))
val_dataloader = dict(num_workers=0, dataset=dict(indices=12))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=2)
default_hooks = dict(logger=dict(interval=1))
custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='OODDetector')), dict(type='FreezeNorm')]
"""


def load_file(path):
    """Import a Python file by its path."""
    path = Path(path)
    spec = importlib.util.spec_from_file_location(f'{path.stem}_file', path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for the names in their annotations
    spec.loader.exec_module(module)
    return module


def options(*more):
    """Return ``--cfg-options`` for a tiny run; later ones win."""
    return ['--cfg-options', *TINY, *more]


def logged(work_dir, name):
    """Return the last value of a scalar that a run logged."""
    values = []
    for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json')):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        values += [line[name] for line in lines if name in line]
    return values[-1]
