# SPDX-License-Identifier: Apache-2.0
"""The hook that makes up for a validation that a stop has cut off."""

from bisect import bisect
from collections.abc import Sequence
from pathlib import Path

import mmengine.dist as dist
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpretrain.registry import HOOKS

from ..reports import read_record


@HOOKS.register_module()
class ResumeValidationHook(Hook):
    """Validate a resumed run before it goes on, where the stop came between checkpoint and validation.

    mmengine saves a checkpoint first and validates then. A run that is stopped in between is resumed with the next
    epoch, and its record lacks one accuracy; after the last epoch nothing is left to be done, and the run ends
    without the accuracy that it was made for.

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
    """Whether the record of the work directory has a validation of the checkpoint's epoch."""
    try:
        scalars = read_record(Path(runner.work_dir)).scalars
    except FileNotFoundError:
        return False
    return any(runner.epoch in values for name, values in scalars.items() if not name.startswith('label_noise/'))
