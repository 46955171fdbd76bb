# SPDX-License-Identifier: Apache-2.0
"""Networks and runs so small that they train in a second."""

import itertools
import json
import os
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

import tcl_plugin  # noqa: F401  registers everything
from tcl_plugin.compat import unwrap_model

# Prime, so that it is the size of nothing else, and cannot be shared out evenly.
NUM_TRAIN = 41
OOD = dict(type='OODDetector')
PLAIN_PIPELINE = [dict(type='PackInputs')]
CROP = dict(type='RandomCrop', crop_size=8, padding=1)
THREE_VIEWS = [dict(type='MultiView', num_views=[1, 2], transforms=[[CROP], [CROP]]), dict(type='PackInputs')]
EMA = dict(type='EMAHook', momentum=0.3)

_runs = itertools.count()


def classifier(**changes) -> dict:
    """Config of plain training; keyword arguments replace entries."""
    return (
        dict(
            type='ImageClassifier',
            backbone=dict(type='PreActResNet', depth=18, base_channels=2),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', num_classes=10, in_channels=16),
            data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
        )
        | changes
    )


def tcl(**head) -> dict:
    """Config of TCL; keyword arguments go to the head."""
    head = dict(type='TCLHead', num_classes=10, in_channels=16, feat_dim=8, dropout=0.0, warmup_epochs=1) | head
    return classifier(type='TCL', head=head)


def elr(**head) -> dict:
    """Config of early-learning regularisation; keyword arguments go to the head."""
    return classifier(head=dict(type='ELRHead', num_classes=10, in_channels=16) | head)


def pencil(**head) -> dict:
    """Config of PENCIL with a warm-up of one epoch; keyword arguments go to the head."""
    return classifier(head=dict(type='PENCILHead', num_classes=10, in_channels=16, warmup_epochs=1) | head)


def m_correction(**changes) -> dict:
    """Config of M-correction with a warm-up of one epoch; keyword arguments replace entries."""
    head = dict(type='MCorrectionHead', num_classes=10, in_channels=16, warmup_epochs=1)
    return classifier(type='MCorrection', head=head) | changes


def noisy_digits(size: int = NUM_TRAIN, pipeline: list = THREE_VIEWS) -> dict:
    """Config of digits of which half have a wrong label."""
    return dict(
        type='NoisyLabelDataset',
        dataset=dict(type='SklearnDigits', split='train', indices=size, pipeline=pipeline),
        noise=dict(type='SymmetricNoise', rate=0.5, seed=0),
    )


def hook(detector: dict | None = OOD, **kwargs) -> dict:
    """Config of the hook."""
    return dict(type='LabelNoiseHook', detector=detector, **kwargs)


def build_runner(work_dir: Path, model: dict, dataset: dict, *hooks: dict, max_epochs: int = 1, **changes) -> Runner:
    """Build a runner.

    Args:
        work_dir (Path): Its work directory.
        model (dict): Config of the model.
        dataset (dict): Config of the training set.
        *hooks (dict): Configs of the custom hooks.
        max_epochs (int): Number of epochs.
        **changes: Entries of the config to replace.

    Returns:
        Runner: The runner.
    """
    val_set = dict(type='SklearnDigits', split='test', indices=8, pipeline=PLAIN_PIPELINE)
    cfg = dict(
        default_scope='mmpretrain',
        # Runners of one name would share their records.
        experiment_name=f'toy_{os.getpid()}_{next(_runs)}',
        work_dir=str(work_dir),
        model=model,
        train_dataloader=dict(
            batch_size=16,
            num_workers=0,
            dataset=dataset,
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='default_collate'),
        ),
        val_dataloader=dict(
            batch_size=16,
            num_workers=0,
            dataset=val_set,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        val_evaluator=dict(type='Accuracy'),
        train_cfg=dict(by_epoch=True, max_epochs=max_epochs, val_interval=100),
        val_cfg=dict(),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9)),
        custom_hooks=list(hooks),
        visualizer=dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')]),
        randomness=dict(seed=0),
        log_level='WARNING',
    )
    return Runner.from_cfg(Config(cfg | changes))


def recorded(work_dir: Path) -> list[dict]:
    """All lines of a run's record, without what differs from run to run: times and memory."""
    lines = [json.loads(line) for path in work_dir.glob('*/vis_data/scalars.json') for line in path.open()]
    return [{k: v for k, v in line.items() if k not in ('time', 'data_time', 'memory')} for line in lines]


class Witness(Hook):
    """Keeps what a test wants to know at each step of training.

    Args:
        look (Callable): Called with the model, unwrapped.
    """

    priority = 'LOW'

    def __init__(self, look) -> None:
        self.look = look
        self.before = None
        self.iters = []

    def before_train(self, runner: Runner) -> None:
        self.before = self.look(unwrap_model(runner.model))

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        self.iters.append(self.look(unwrap_model(runner.model)))


def clean_prob_of(model) -> torch.Tensor | None:
    """Clean probabilities that a model's head has been told."""
    return model.head.clean_prob.clone().cpu()


def watch(runner: Runner, look) -> Witness:
    """Train under the eyes of a witness.

    Args:
        runner (Runner): The runner.
        look (Callable): See :class:`Witness`.

    Returns:
        Witness: What it has seen.
    """
    witness = Witness(look)
    runner.register_hook(witness)
    runner.train()
    return witness
