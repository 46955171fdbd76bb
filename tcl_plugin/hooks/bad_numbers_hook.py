# SPDX-License-Identifier: Apache-2.0
"""The hook that stops a run whose losses or weights are NaN or infinite."""

from dataclasses import dataclass
from typing import Any

import mmengine.dist as dist
import torch
from mmengine.hooks import CheckpointHook, Hook, LoggerHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import Tensor

from ..compat import unwrap_model
from ..structures import indices_of, labels_of
from .bad_numbers import RECORD_NAME, BadNumbersError, keep_evidence, number


@dataclass
class Step:
    """What is kept of a training step until it has been looked at: nothing is computed for it.

    Attributes:
        epoch (int): Epoch, from 1.
        iter (int): Iteration, from 1.
        losses (dict): Losses by name, on the device.
        samples: The batch's samples, as they came.
    """

    epoch: int
    iter: int
    losses: dict[str, Tensor | float]
    samples: object


@HOOKS.register_module()
class BadNumbersHook(Hook):
    """Stop when a loss, a parameter or a buffer is NaN or infinite, and keep what one needs to look at it.

    A step asks the device nothing. All steps since the last look are looked at together, when a line of
    the log is due, before a checkpoint, at the end of an epoch, or every ``interval`` steps: the device
    is waited for as often as ``DeferredRuntimeInfoHook`` waits for it, and a bad step is noticed at most
    so many steps late, always before a checkpoint could hold what came of it. Where processes are
    several, all look at the same time and stop with the same words.

    After each good look the weights are copied, on the device: the last good ones are part of what
    :func:`keep_evidence` writes.

    Args:
        interval (int, optional): Steps from look to look. Defaults to None, those of the log.
        keep_good (bool): Whether to copy the weights after a good look, which takes as much memory as
            they do. Defaults to True.

    Raises:
        ValueError: If ``interval`` is less than 1.
    """

    # Before everything that saves, or makes use of the weights.
    priority = 'VERY_HIGH'
    good_state_of_run = True

    def __init__(self, interval: int | None = None, keep_good: bool = True) -> None:
        if interval is not None and interval < 1:
            raise ValueError(f'interval must be 1 or more, got {interval}')
        self.interval = interval
        self.keep_good = keep_good
        self.good: dict | None = None
        self._waiting: list[Step] = []

    def before_train(self, runner: Runner) -> None:
        """Find out when to look."""
        logs = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
        self._intervals = logs if self.interval is None else [self.interval]
        saving = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook) and not hook.by_epoch]
        self._saving = [hook.interval for hook in saving if hook.interval > 0]
        self._waiting, self.good, self._begun = [], None, runner.iter

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Keep the losses of a step; look if it is time."""
        losses = {k: v.detach() if isinstance(v, Tensor) else v for k, v in (outputs or {}).items()}
        samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
        self._waiting.append(Step(runner.epoch + 1, runner.iter + 1, losses, samples))
        due = any(self.every_n_inner_iters(batch_idx, interval) for interval in self._intervals)
        due |= any(self.every_n_train_iters(runner, interval) for interval in self._saving)
        if due or self.end_of_epoch(runner.train_dataloader, batch_idx) or self.is_last_train_iter(runner):
            self._look(runner, dist.get_world_size() > 1)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look before somebody else saves, which the main process does alone."""
        if self._waiting:
            self._look(runner, together=False)

    def _look(self, runner: Runner, together: bool) -> None:
        tensors = [t for t in unwrap_model(runner.model).state_dict().values() if t.is_floating_point()]
        losses = [torch.as_tensor(v).float().reshape(()) for step in self._waiting for v in step.losses.values()]
        device = tensors[0].device
        finite = [torch.stack([loss.to(device) for loss in losses]).isfinite().all()] if losses else []
        good = torch.stack(finite + [tensor.isfinite().all() for tensor in tensors]).all().float()
        if together:
            dist.all_reduce(good, op='min')
        if not good.item():
            self._stop(runner, together)
        if self.keep_good:
            state = unwrap_model(runner.model).state_dict()
            self.good = dict(iter=self._waiting[-1].iter, state_dict={k: v.clone() for k, v in state.items()})
        self._waiting.clear()

    def _stop(self, runner: Runner, together: bool) -> None:
        own = next(filter(None, map(_bad_step, self._waiting)), None)
        found = [record for record in (dist.all_gather_object(own) if together else [own]) if record]
        # A finite loss whose gradient is not leaves weights that are bad, and no bad loss yet.
        weights = dict(term='weights', epoch=runner.epoch + 1, iter=self._waiting[-1].iter, sample_idx=[])
        first = min(found, key=lambda record: record['iter'], default=weights)
        since = self._begun if self.good is None else self.good['iter']
        text = (
            f'{first["term"]} NaN or infinite in epoch {first["epoch"]}, iteration {first["iter"]}'
            f'{_named(first["sample_idx"])}: training has diverged (a lower learning rate, or clip_grad, may help); '
            f'weights were good after iteration {since}; see {RECORD_NAME} in {runner.work_dir}'
        )
        keep_evidence(runner, first | dict(message=text, noticed_iter=self._waiting[-1].iter), self.good)
        raise BadNumbersError(text, first['term'], first['sample_idx'])


def _named(sample_idx: list[int] | None) -> str:
    if not sample_idx:
        return ''
    shown = ', '.join(map(str, sample_idx[:8]))
    return f', samples {shown}{f" and {len(sample_idx) - 8} more" if len(sample_idx) > 8 else ""}'


def _bad_step(step: Step) -> dict | None:
    """What is known of a step, if a loss of it is bad."""
    losses = {name: number(value) for name, value in step.losses.items()}
    bad = [name for name, value in losses.items() if isinstance(value, str)]
    if not bad:
        return None
    # The sum of all is bad if any is, and says less.
    bad = [name for name in bad if name != 'loss'] or bad
    record = dict(term=', '.join(bad), epoch=step.epoch, iter=step.iter, losses=losses, rank=dist.get_rank())
    return record | _samples(step.samples)


def _samples(samples: Any) -> dict[str, list[int] | None]:
    try:
        index = indices_of(samples).tolist()
    except (ValueError, TypeError, IndexError):  # other data sets number nothing
        return dict(sample_idx=None, given_label=None)
    return dict(sample_idx=index, given_label=labels_of(samples, torch.device('cpu')).tolist())
