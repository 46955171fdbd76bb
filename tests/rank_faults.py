# SPDX-License-Identifier: Apache-2.0
"""What a config of a distributed run names to let one of its processes die or hang, and all others wait for it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS

from tcl_plugin.hooks import label_noise_hook

MESSAGE = 'the roof has fallen in'


@HOOKS.register_module()
class FailingRank(Hook):
    """Lets one process fail in its second epoch.

    Args:
        kind (str): ``raise``, ``kill`` or ``stop``.
        place (str): Within ``step``, within the ``pass`` over the training set, or before a checkpoint: ``save``.
        rank (int): Which process. Defaults to 1.
    """

    # Within a step: the others have gone on to the next, and wait there.
    priority = 'LOWEST'

    def __init__(self, kind: str, place: str, rank: int = 1) -> None:
        self.kind, self.place, self.rank = kind, place, rank

    def before_run(self, runner: Runner) -> None:
        if self.place == 'pass' and get_rank() == self.rank:
            label_noise_hook.watched_pass = self._interrupted(label_noise_hook.watched_pass, runner)

    def after_train_iter(self, runner: Runner, *args, **kwargs) -> None:
        self._fail(runner, 'step')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        self._fail(runner, 'save')

    def _interrupted(self, watched_pass, runner: Runner):
        def fail_among(batches: Iterator) -> Iterator:
            for batch in batches:
                self._fail(runner, 'pass')
                yield batch

        @contextmanager
        def watched(*args):
            with watched_pass(*args) as batches:
                yield fail_among(batches)

        return watched

    def _fail(self, runner: Runner, place: str) -> None:
        if (place, get_rank(), runner.epoch) != (self.place, self.rank, 1):
            return
        if self.kind == 'raise':
            raise ArithmeticError(MESSAGE)
        os.kill(os.getpid(), {'kill': signal.SIGKILL, 'stop': signal.SIGSTOP}[self.kind])
