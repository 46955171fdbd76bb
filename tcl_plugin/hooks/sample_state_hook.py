# SPDX-License-Identifier: Apache-2.0
"""The hook that looks after what a head remembers of each training sample."""

from typing import Any

import mmengine.dist as dist
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import Tensor

from ..compat import unwrap_model
from .checks import need_epochs, need_noisy_labels, refuse_batch_augments
from .head_epoch import tell_epoch
from .label_identity import identity_of, what_differs

KEY, ORIGIN_KEY = 'sample_state', 'sample_state_of'


@HOOKS.register_module()
class SampleStateHook(Hook):
    """Make a head's table with a row for each training sample, save it, and share it among processes.

    The head has ``set_sample_state(num_samples, state=None)``, the table ``sample_state``, shape
    (N, ...), and ``sample_seen``, bool, shape (N,): the rows that this process has changed since it
    last shared them. :class:`ELRHead` and :class:`PENCILHead` are such heads.

    - Before training the table gets its size from the training set; a resumed run gets it from the
      checkpoint, where it lies beside the model's ``state_dict``, under ``sample_state``. A run that
      only loads weights (``load_from``) begins with an empty one.
    - After each epoch all processes take over the rows that each has changed. A sample that several
      have met, because the sampler has filled up the last batches, gets the mean.

    Checkpoints within an epoch of several processes hold the rows of the main process alone; those
    after an epoch, mmengine's default, are exact.
    """

    # Before CheckpointHook, so that a checkpoint holds the rows of all processes.
    priority = 'NORMAL'

    def __init__(self) -> None:
        self._loaded: Tensor | None = None
        self._origin: dict = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the table of the checkpoint, if it has one, until its size is known to be right."""
        self._loaded = checkpoint.get(KEY)
        self._origin = checkpoint.get(ORIGIN_KEY, {})  # those of earlier releases have none

    def before_train(self, runner: Runner) -> None:
        """Make the table, or take over that of the checkpoint.

        Raises:
            ValueError: If the head keeps no table, the loop has no epochs, images are mixed by
                ``batch_augments``, or the run is resumed from a checkpoint without a table, with one
                of another size, or, where the head corrects labels, with one of other labels.
        """
        need_epochs(self, runner)
        head = unwrap_model(runner.model).head
        if not hasattr(head, 'set_sample_state'):
            raise ValueError(
                f'SampleStateHook is for heads that remember samples, such as ELRHead, not for {type(head).__name__}'
            )
        refuse_batch_augments(runner)
        resumed = runner.iter > 0
        if resumed and self._loaded is None:
            raise ValueError(
                f'the checkpoint has no {KEY}, so that the run cannot go on where it stopped: was it made without '
                'SampleStateHook? To start anew from its weights, give it as load_from, with resume=False'
            )
        dataset = runner.train_dataloader.dataset
        head.set_sample_state(len(dataset), self._loaded if resumed else None)
        self._loaded = None
        if getattr(head, 'corrects_labels', False):
            self._keep_origin(dataset, resumed)

    def _keep_origin(self, dataset: Any, resumed: bool) -> None:
        need_noisy_labels(self, dataset, 'given_labels')
        changed = what_differs(self._origin, dataset) if resumed else None
        if changed is not None:
            raise ValueError(
                f'the run is resumed, and {changed} are not those that the table in its checkpoint corrects: go on '
                'with those, or begin anew'
            )
        self._origin = identity_of(dataset)

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the head which epoch begins."""
        tell_epoch(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Bring together the rows of all processes."""
        head = unwrap_model(runner.model).head
        if dist.get_world_size() > 1:
            share_rows(head.sample_state, head.sample_seen)
        head.sample_seen.zero_()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the table beside the weights."""
        state = unwrap_model(runner.model).head.sample_state
        # A copy: a checkpoint may be written while training goes on.
        checkpoint[KEY] = state.to('cpu', copy=True)
        if self._origin:
            checkpoint[ORIGIN_KEY] = self._origin


@torch.no_grad()
def share_rows(table: Tensor, seen: Tensor) -> None:
    """Take over, in place, the rows that each process has changed.

    Args:
        table (Tensor): float, shape (N, ...). Rows that no process has changed are equal in all.
        seen (Tensor): Which rows this process has changed, bool, shape (N,).
    """
    column = (-1, *[1] * (table.ndim - 1))
    number = seen.to(table.dtype)
    changed = table * number.view(column)
    dist.all_reduce(number)
    dist.all_reduce(changed)
    changed /= number.clamp_min(1).view(column)
    torch.where(number.view(column) > 0, changed, table, out=table)
