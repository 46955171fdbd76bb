# SPDX-License-Identifier: Apache-2.0
"""The hook that makes up for a validation that a stop has cut off."""

import copy
from bisect import bisect
from collections.abc import Sequence
from pathlib import Path

import mmengine.dist as dist
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpretrain.registry import HOOKS

from ..reports import read_record
from .conditions import KEY, POSITION

# Scalars of a validation that are none of the evaluator's: of its loop, and of other hooks.
TIMES = ('data_time', 'time')
OTHERS = ('label_noise/', 'held_out/', 'knn/')


@HOOKS.register_module()
class ResumeValidationHook(Hook):
    """Validate a resumed run before it goes on, where the stop came between checkpoint and validation.

    mmengine saves a checkpoint first and validates then. A run that is stopped in between is resumed with the next
    epoch, and its record lacks one accuracy; after the last epoch nothing is left to be done, and the run ends
    without the accuracy that it was made for.

    A stop after the accuracy was recorded, while the best checkpoint was being written, is one in between too: the
    epoch is validated again where its score is better than the best that the checkpoint knows of.

    Runs without epochs are left alone, and so is a checkpoint from within an epoch, whose weights are no longer those
    of the epoch before.
    """

    # When everything else is ready.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._within_epoch = False

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Note whether the checkpoint was written within an epoch, as far as it says so."""
        done, _ = (checkpoint.get(KEY) or {}).get(POSITION, (0, 0))
        self._within_epoch = done > 0

    def before_train(self, runner: Runner) -> None:
        """Validate, if the run is resumed and its record lacks the validation of the last epoch."""
        loop = runner.train_loop
        if runner.iter == 0 or runner.val_loop is None or isinstance(loop, IterBasedTrainLoop) or self._within_epoch:
            return
        # The loop renews its val_interval after an epoch only.
        due = runner.epoch >= loop.val_begin and is_validated(
            runner.epoch, runner.max_epochs, loop.dynamic_milestones, loop.dynamic_intervals
        )
        # One process decides for all: in a moment, files will change.
        missed = [_what_is_missing(runner) if due and dist.is_main_process() else None]
        dist.broadcast_object_list(missed)
        if missed[0]:
            runner.logger.info(f'ResumeValidationHook: epoch {runner.epoch} {missed[0]}')
            runner.val_loop.run()


def is_validated(epoch: int, last: int, milestones: Sequence[int], intervals: Sequence[int]) -> bool:
    """Tell whether mmengine's loop validates after an epoch.

    Args:
        epoch (int): Number of epochs that have been trained.
        last (int): Number of all epochs.
        milestones (Sequence[int]): See ``mmengine.runner.utils.calc_dynamic_intervals``.
        intervals (Sequence[int]): Likewise.

    Returns:
        bool: Whether it does.
    """
    return epoch % intervals[bisect(milestones, epoch + 1) - 1] == 0 or epoch == last


def _what_is_missing(runner: Runner) -> str | None:
    """What the work directory lacks of the validation of the checkpoint's epoch, and of what comes of it."""
    try:
        scalars = read_record(Path(runner.work_dir)).scalars
    except FileNotFoundError:
        scalars = {}
    scores = {name: values[runner.epoch] for name, values in scalars.items() if runner.epoch in values}
    if all(name.startswith('label_noise/') for name in scores):
        return 'has not been validated yet'
    savers = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook) and hook.save_best]
    if any(_best_is_missing(runner, saver, scores) for saver in savers):
        return 'is validated again, as it is the best, and its best checkpoint was not written'
    return None


def _is_metric(name: str) -> bool:
    """Whether a scalar comes from the evaluator, whose first one counts for ``save_best='auto'``."""
    return name not in TIMES and not name.startswith(OTHERS)


def _best_is_missing(runner: Runner, saver: CheckpointHook, scores: dict[str, float]) -> bool:
    """Whether a recorded score should have led to a best checkpoint, and has not.

    Once it is written, mmengine saves the checkpoint of the epoch again, with the best score in it.
    """
    if 'auto' in saver.key_indicators:  # which score that is, the first validation would tell
        saver = copy.copy(saver)
        saver._init_rule(saver.rules, [next(filter(_is_metric, scores))])
    for key, rule in zip(saver.key_indicators, saver.rules, strict=True):
        name = 'best_score' if len(saver.key_indicators) == 1 else f'best_score_{key}'
        best = runner.message_hub.runtime_info.get(name, saver.init_value_map[rule])
        if key in scores and saver.is_better_than[key](scores[key], best):
            return True
    return False
