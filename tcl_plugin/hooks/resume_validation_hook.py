# SPDX-License-Identifier: Apache-2.0
"""The hook that makes up for a validation that a stop has cut off."""

from bisect import bisect
from collections.abc import Sequence
from pathlib import Path

import mmengine.dist as dist
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpretrain.registry import HOOKS

from ..reports import read_record


@HOOKS.register_module()
class ResumeValidationHook(Hook):
    """Validate a resumed run before it goes on, where the stop came between checkpoint and validation.

    mmengine saves a checkpoint first and validates then. A run that is stopped in between is resumed with the next
    epoch, and its record lacks one accuracy; after the last epoch nothing is left to be done, and the run ends
    without the accuracy that it was made for.

    A stop after the accuracy was recorded, while the best checkpoint was being written, is one in between too: the
    epoch is validated again where its score is better than the best that the checkpoint knows of.

    Runs without epochs are left alone.
    """

    # When everything else is ready.
    priority = 'LOWEST'

    def before_train(self, runner: Runner) -> None:
        """Validate, if the run is resumed and its record lacks the validation of the last epoch."""
        loop = runner.train_loop
        if runner.iter == 0 or runner.val_loop is None or isinstance(loop, IterBasedTrainLoop):
            return
        # The loop renews its val_interval after an epoch only.
        due = runner.epoch >= loop.val_begin and is_validated(
            runner.epoch, runner.max_epochs, loop.dynamic_milestones, loop.dynamic_intervals
        )
        # One process decides for all: in a moment, files will change.
        missed = [due and dist.is_main_process() and not _validated(runner)]
        dist.broadcast_object_list(missed)
        if missed[0]:
            runner.logger.info(f'ResumeValidationHook: epoch {runner.epoch} has not been validated yet')
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


def _validated(runner: Runner) -> bool:
    """Whether the record of the work directory has a validation of the checkpoint's epoch, and all that came of it."""
    try:
        scalars = read_record(Path(runner.work_dir)).scalars
    except FileNotFoundError:
        return False
    scores = {name: values[runner.epoch] for name, values in scalars.items() if runner.epoch in values}
    savers = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook) and hook.save_best]
    return any(not name.startswith('label_noise/') for name in scores) and not any(
        _best_is_missing(runner, saver, scores) for saver in savers
    )


def _best_is_missing(runner: Runner, saver: CheckpointHook, scores: dict[str, float]) -> bool:
    """Whether a recorded score should have led to a best checkpoint, and has not.

    Once it is written, mmengine saves the checkpoint of the epoch again, with the best score in it.
    """
    if 'auto' in saver.key_indicators:  # which score that is, the first validation will tell
        return True
    for key, rule in zip(saver.key_indicators, saver.rules, strict=True):
        name = 'best_score' if len(saver.key_indicators) == 1 else f'best_score_{key}'
        best = runner.message_hub.runtime_info.get(name, saver.init_value_map[rule])
        if key in scores and saver.is_better_than[key](scores[key], best):
            return True
    return False
