# SPDX-License-Identifier: Apache-2.0
"""What each of several processes does."""

from collections.abc import Callable
from unittest import mock

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmpretrain.registry import HOOKS
from toy_runs import PLAIN_PIPELINE

from tcl_plugin.compat import unwrap_model

from .shop import METHODS, OPTIMIZER, check_trained, make, weights

# What takes longer than all the rest: mmengine collects garbage for each data set, and lays out each config.
_hasten = [
    mock.patch('gc.collect', lambda *args: 0),
    mock.patch('mmengine.config.config.FormatCode', lambda text, **kwargs: (text, False), create=True),
]


def hastened(function: Callable) -> Callable:
    """Let a function of a process do without what takes longest."""
    for patch in _hasten:
        function = patch(function)
    return function


DDP = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)
AVERAGE = dict(type='SyncBuffersHook', priority='ABOVE_NORMAL')
# Three views without chance: what processes draw differs.
STILL_VIEWS = [dict(type='MultiView', num_views=[3], transforms=[[]]), PLAIN_PIPELINE[0]]
STILL = dict(
    tcl=(dict(mixup_alpha=0.0), STILL_VIEWS),
    elr=({}, PLAIN_PIPELINE),
    mcorrection=(dict(mixup_alpha=0.0), PLAIN_PIPELINE),
)


@hastened
def train_wrapped(rank: int, work_dir: str, method: str, settings: dict) -> str | None:
    """Train a method under DDP.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.
        method (str): Name of the method.
        settings (dict): Arguments of DDP; and ``unused``, ``accumulative_counts`` and ``sync_bn``.

    Returns:
        str, optional: What is said against it.
    """
    settings = dict(settings)
    model = dict(backbone=dict(type='OneLayer', unused=settings.pop('unused', False)))
    wrapper = dict(optimizer=OPTIMIZER, accumulative_counts=settings.pop('accumulative_counts', 1))
    changes = dict(launcher='pytorch', optim_wrapper=wrapper, sync_bn=settings.pop('sync_bn', None))
    try:
        loading = dict(batch_size=2)
        runner = make(
            work_dir, method, AVERAGE, model=model, loading=loading, model_wrapper_cfg=DDP | settings, **changes
        )
        assert is_model_wrapper(runner.model)
        before = weights(runner)
        runner.train()
    except (ValueError, RuntimeError) as error:
        return ' '.join(str(error).split())
    check_trained(runner, before)
    return None


@HOOKS.register_module()
class FreezeNorm(Hook):
    """Batch normalisation by its running statistics: batches of processes would have statistics of their own."""

    priority = 'LOW'

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        for layer in unwrap_model(runner.model).modules():
            if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
                layer.eval()


@hastened
def train_still(rank: int, work_dir: str, method: str, size: int, world_size: int) -> dict:
    """Train a method so that chance and batch statistics have no part in it.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.
        method (str): Name of the method.
        size (int): Number of samples.
        world_size (int): Number of processes; they share batches of 8.

    Returns:
        dict: What this process knows afterwards: ``weights`` and ``knowledge``, vectors.
    """
    changes, pipeline = STILL[method]
    build, _, hooks = METHODS[method]
    METHODS['still'] = build, pipeline, hooks
    distributed = {} if world_size == 1 else dict(launcher='pytorch', model_wrapper_cfg=DDP)
    loading = dict(batch_size=8 // world_size)
    runner = make(work_dir, 'still', AVERAGE, model=changes, size=size, loading=loading, **distributed)
    runner.register_hook(FreezeNorm())
    before = weights(runner)
    torch.manual_seed(0)
    runner.train()
    check_trained(runner, before)
    head = unwrap_model(runner.model).head
    knowledge = head.sample_state if method == 'elr' else head.clean_prob
    return dict(weights=weights(runner).numpy(), knowledge=knowledge.numpy().copy())


@hastened
def train_few(rank: int, work_dir: str, method: str, size: int) -> str | None:
    """Train on fewer samples than there are processes.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.
        method (str): Name of the method.
        size (int): Number of samples.

    Returns:
        str, optional: What is said against it.
    """
    loading = dict(batch_size=2)
    runner = make(work_dir, method, size=size, loading=loading, launcher='pytorch', model_wrapper_cfg=DDP)
    # Each process has one sample, of which there are no statistics.
    runner.register_hook(FreezeNorm())
    try:
        runner.train()
    except ValueError as error:
        return str(error)
    return None
