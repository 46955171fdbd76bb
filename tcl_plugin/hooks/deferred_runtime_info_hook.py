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
        self._intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
        self._waiting: list[dict[str, Tensor | float]] = []

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | tuple | list | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Keep the losses of a step, and hand on what has gathered if a line is due."""
        if outputs is not None:
            self._waiting.append({k: v.detach() if isinstance(v, Tensor) else v for k, v in outputs.items()})
        due = any(self.every_n_inner_iters(batch_idx, interval) for interval in self._intervals)
        if due or self.end_of_epoch(runner.train_dataloader, batch_idx) or self.is_last_train_iter(runner):
            self._hand_on(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Let a checkpoint within an epoch hold the losses up to its step."""
        if self._waiting:
            self._hand_on(runner)
            checkpoint['message_hub'] = runner.message_hub.state_dict()

    def _hand_on(self, runner: Runner) -> None:
        on_device = [v.float().reshape(()) for step in self._waiting for v in step.values() if isinstance(v, Tensor)]
        values = iter(torch.stack(on_device).tolist() if on_device else [])
        for step in self._waiting:
            for name, value in step.items():
                value = next(values) if isinstance(value, Tensor) else value
                runner.message_hub.update_scalar(f'train/{name}', value)
        self._waiting.clear()
