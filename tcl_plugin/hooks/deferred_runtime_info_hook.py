# SPDX-License-Identifier: Apache-2.0
"""The hook that reads losses off the device once in a while instead of at each step."""

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import Tensor


@HOOKS.register_module()
class DeferredRuntimeInfoHook(RuntimeInfoHook):
    """Hand losses on to the log when a line is due, all at once.

    mmengine's ``RuntimeInfoHook``, in whose place this one goes
    (``default_hooks = dict(runtime_info=dict(type='DeferredRuntimeInfoHook'))``), reads each loss
    of each step, and so waits for the device at each step. The numbers in the log are the same.
    """

    def before_train(self, runner: Runner) -> None:
        """Find out when lines are due."""
        super().before_train(runner)
        self._interval = min((hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)), default=1)
        self._waiting: list[dict[str, Tensor]] = []

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Keep the losses of a step, and hand on what has gathered if a line is due."""
        if outputs is not None:
            self._waiting.append({name: value.detach() for name, value in outputs.items()})
        due = self.every_n_inner_iters(batch_idx, self._interval)
        if due or self.end_of_epoch(runner.train_dataloader, batch_idx) or self.is_last_train_iter(runner):
            self._hand_on(runner)

    def _hand_on(self, runner: Runner) -> None:
        if not self._waiting:
            return
        values = torch.stack([value.float().reshape(()) for step in self._waiting for value in step.values()])
        values = iter(values.tolist())
        for step in self._waiting:
            for name in step:
                runner.message_hub.update_scalar(f'train/{name}', next(values))
        self._waiting.clear()
