# SPDX-License-Identifier: Apache-2.0
"""Builds any config on tiny archives, and lets it take a step."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from data_builders import build_cifar10, build_cifar100, build_fashion_mnist, cifar_without_md5
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS, MODELS
from test_tools.toolbox import NARROW

from tcl_plugin.auto_setup.placeholders import look_up

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def read(name: str) -> Config:
    """Read a config by its name, such as ``'peers/gce_digits_sym80'``."""
    return Config.fromfile(CONFIGS / f'{name}.py')


def value_at(cfg: Config, key: str) -> Any:
    """The value at a dotted key, as ``--cfg-options`` has it; None where nothing stands there."""
    return look_up(cfg, tuple(int(part) if part.isdigit() else part for part in key.split('.')))


@contextmanager
def tiny_archives(folder: Path) -> Iterator[Path]:
    """Write archives into ``data/`` of a folder, where the configs look for them, and let mmpretrain accept them."""
    build_cifar10(folder / 'data' / 'cifar10', images_per_batch=10)
    build_cifar100(folder / 'data' / 'cifar100')
    build_fashion_mnist(folder / 'data' / 'fashion_mnist')
    with cifar_without_md5():
        yield folder


def shrink(cfg: Config) -> None:
    """Make a config fast, and leave the rest as it is."""
    if cfg.model.backbone.type == 'PreActResNet':
        cfg.model.backbone.base_channels = NARROW
        cfg.model.head.in_channels = 8 * NARROW
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        loader.update(batch_size=8, num_workers=0)
    images = cfg.train_dataloader.dataset.dataset
    if 'indices' in images:
        images.indices = 20


def take_a_step(cfg: Config, trusts_to_the_end: bool = False) -> None:
    """Build all parts of a config, train with one batch, and evaluate one.

    Args:
        cfg (Config): The config. Unless it trusts the given labels to the end, its warm-up must end before.
        trusts_to_the_end (bool): Whether it does.
    """
    shrink(cfg)
    init_default_scope(cfg.default_scope)
    model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor})
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    assert [HOOKS.build(hook) for hook in cfg.custom_hooks]

    loader = Runner.build_dataloader(cfg.train_dataloader)
    _tell(model.head, len(loader.dataset), cfg.train_cfg.max_epochs)
    if hasattr(model, 'set_labels'):
        model.set_labels(torch.zeros(len(loader.dataset), dtype=torch.long))
    assert getattr(model.head, 'in_warmup', trusts_to_the_end) == trusts_to_the_end
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad and value.ndim > 1}
    before = {name: value.clone() for name, value in trained.items()}
    losses = model.train().train_step(next(iter(loader)), optim_wrapper)
    assert losses and all(value.isfinite() for value in losses.values()), losses
    after = dict(model.named_parameters())
    assert not [name for name, value in before.items() if torch.equal(value, after[name])]

    batch = next(iter(Runner.build_dataloader(cfg.val_dataloader)))
    samples = model.eval().val_step(batch)
    assert {sample.pred_score.shape for sample in samples} == {(model.head.num_classes,)}
    evaluator = Evaluator(cfg.val_evaluator)
    evaluator.process(samples, batch)
    assert 'accuracy/top1' in evaluator.evaluate(len(samples))


def _tell(head: torch.nn.Module, num_samples: int, max_epochs: int) -> None:
    """Tell a head what its hooks would."""
    if hasattr(head, 'set_sample_state'):
        head.set_sample_state(num_samples)
    if hasattr(head, 'set_clean_prob'):
        head.set_clean_prob(torch.full((num_samples,), 0.7))
    if hasattr(head, 'start_epoch'):
        head.start_epoch(max_epochs - 1)
