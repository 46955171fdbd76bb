# SPDX-License-Identifier: Apache-2.0
"""The log holds the same numbers whether losses are read at each step or when a line is due."""

from unittest import mock

import torch
from mmengine.logging import MessageHub
from toy_runs import THREE_VIEWS, build_runner, hook, noisy_digits, recorded, tcl

from tcl_plugin.hooks import DeferredRuntimeInfoHook


def record(work_dir, kind, interval):
    """Numbers of all lines of a run's record but times, and after how many steps losses were handed on."""
    handed_on, update = [], MessageHub.update_scalar

    def spy(hub, name, value, *args, **kwargs):
        if name == 'train/loss':
            handed_on.append(hub.get_info('iter'))
        return update(hub, name, value, *args, **kwargs)

    hooks = dict(runtime_info=dict(type=kind), logger=dict(type='LoggerHook', interval=interval))
    runner = build_runner(work_dir, tcl(), noisy_digits(70, THREE_VIEWS), hook(), max_epochs=2, default_hooks=hooks)
    with mock.patch.object(MessageHub, 'update_scalar', spy):
        runner.train()
    return recorded(work_dir), handed_on


def test_every_logger_gets_its_numbers(tmp_path):
    """Whatever their intervals; and a checkpoint within an epoch has the losses up to its step."""
    numbers = {}
    for kind in ('RuntimeInfoHook', 'DeferredRuntimeInfoHook'):
        hooks = dict(
            runtime_info=dict(type=kind),
            logger=dict(type='LoggerHook', interval=2),
            checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=False),
        )
        work_dir = tmp_path / kind
        second = dict(type='LoggerHook', interval=3)
        runner = build_runner(work_dir, tcl(), noisy_digits(70, THREE_VIEWS), hook(), second, default_hooks=hooks)
        runner.train()
        losses = []
        # No line is due after the first step; one is after the third.
        for step in (1, 3):
            state = torch.load(work_dir / f'iter_{step}.pth', weights_only=True)['message_hub']['log_scalars']
            losses.append(state['train/loss'].data[0].tolist())
        numbers[kind] = [line.get('loss') for line in recorded(work_dir)], losses
    assert numbers['DeferredRuntimeInfoHook'] == numbers['RuntimeInfoHook']
    assert [len(losses) for losses in numbers['RuntimeInfoHook'][1]] == [1, 3]


def test_numbers_that_are_no_tensors():
    deferred = DeferredRuntimeInfoHook()
    runner = mock.MagicMock(hooks=[], iter=0, max_iters=1)
    runner.message_hub = mock.Mock()
    deferred.before_train(runner)
    deferred.after_train_iter(runner, 0, outputs=dict(loss=torch.tensor(2.0), share=0.5))
    assert [call.args for call in runner.message_hub.update_scalar.call_args_list] == [
        ('train/loss', 2.0),
        ('train/share', 0.5),
    ]


def test_same_log(tmp_path):
    at_once, each = record(tmp_path / 'a', 'RuntimeInfoHook', 2)
    later, together = record(tmp_path / 'b', 'DeferredRuntimeInfoHook', 2)
    assert later == at_once and any('loss_contrast' in line for line in later)
    assert each == list(range(10))
    # Five steps an epoch: after two, after four, and at the end.
    assert together == [1, 1, 3, 3, 4, 6, 6, 8, 8, 9]
