# SPDX-License-Identifier: Apache-2.0
"""No accuracy is missing from the record of a run that was stopped between checkpoint and validation."""

import contextlib
import json
from unittest import mock

import pytest
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from toy_runs import PLAIN_PIPELINE, build_runner, classifier, noisy_digits, recorded

from tcl_plugin.hooks import ResumeValidationHook

CATCH_UP = dict(type='ResumeValidationHook')


class Stop(Hook):
    """Ends a run when it begins to validate."""

    def before_val(self, runner):
        raise KeyboardInterrupt


def build(work_dir, **changes):
    train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=1)
    data = noisy_digits(16, PLAIN_PIPELINE)
    return build_runner(work_dir, classifier(), data, CATCH_UP, train_cfg=train_cfg, **changes)


def accuracies(work_dir):
    return [line['step'] for line in recorded(work_dir) if 'accuracy/top1' in line]


def test_validation_is_made_up_for_once(tmp_path):
    stopped = build(tmp_path)
    stopped.register_hook(Stop())
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    assert accuracies(tmp_path) == []
    # The second time, there is nothing to make up for.
    for _ in range(2):
        build(tmp_path, resume=True).train()
        assert accuracies(tmp_path) == [1]
    # Another work directory has no record yet.
    build(tmp_path / 'other', resume=True, load_from=str(tmp_path / 'epoch_1.pth')).train()
    assert accuracies(tmp_path / 'other') == [1]


@pytest.mark.parametrize(
    ('iteration', 'epoch', 'recorded', 'expected'),
    [
        (0, 0, None, False),
        (3, 1, None, False),
        (6, 2, None, True),
        (6, 2, 'label_noise/auc', True),
        (6, 2, 'accuracy/top1', False),
        (9, 3, None, False),
        (15, 5, None, True),
    ],
    ids=['start', 'not due', 'due', 'a pass is none', 'recorded', 'not due again', 'last'],
)
def test_only_what_is_due_and_missing(iteration, epoch, recorded, expected, tmp_path):
    """Of five epochs, of which the second, the fourth and the last are validated."""
    if recorded:
        folder = tmp_path / '20260101_000000' / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text(json.dumps({recorded: 0.5, 'step': epoch}) + '\n')
    runner = mock.Mock(iter=iteration, epoch=epoch, max_epochs=5, work_dir=tmp_path, hooks=[])
    runner.train_loop = mock.Mock(val_begin=0, dynamic_milestones=[0], dynamic_intervals=[2])
    ResumeValidationHook().before_train(runner)
    assert runner.val_loop.run.called is expected


def test_after_an_interval_that_has_changed(tmp_path):
    """Every fifth epoch, and from the second on each: as in the configs whose last ten epochs are validated."""
    changes = dict(train_cfg=dict(by_epoch=True, max_epochs=3, val_interval=5, dynamic_intervals=[(2, 1)]))
    data = noisy_digits(16, PLAIN_PIPELINE)
    stopped = build_runner(tmp_path, classifier(), data, CATCH_UP, **changes)
    stopped.register_hook(Stop())
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    build_runner(tmp_path, classifier(), data, CATCH_UP, resume=True, **changes).train()
    assert accuracies(tmp_path) == [1, 2, 3]


def test_not_with_the_weights_of_an_epoch_that_has_begun(tmp_path):
    """What they score is no accuracy of the epoch before."""
    each = dict(checkpoint=dict(type='AtomicCheckpointHook', by_epoch=False, interval=3))
    changes = dict(train_cfg=dict(by_epoch=True, max_epochs=2, val_interval=1), default_hooks=each)
    hooks = [CATCH_UP, dict(type='EpochSeedHook')]
    data = noisy_digits(32, PLAIN_PIPELINE)
    whole = build_runner(tmp_path / 'whole', classifier(), data, *hooks, **changes)
    whole.train()
    assert len(whole.train_dataloader) == 2
    resumed = tmp_path / 'resumed'
    load_from = str(tmp_path / 'whole' / 'iter_3.pth')
    build_runner(resumed, classifier(), data, *hooks, resume=True, load_from=load_from, **changes).train()
    assert accuracies(resumed) == [2]


@pytest.mark.parametrize(
    ('best', 'scores', 'again'),
    [
        ('accuracy/top1', (50.0, 90.0), True),
        ('accuracy/top1', (50.0, 40.0), False),
        (['accuracy/top1', 'loss'], (50.0, 90.0), True),
        (['accuracy/top1', 'loss'], (50.0, 40.0), False),
        ('auto', (50.0, 90.0), True),
        ('auto', (50.0, 40.0), False),
    ],
)
def test_best_checkpoint_that_a_stop_has_prevented(best, scores, again, tmp_path, monkeypatch):
    """Its accuracy was recorded before it was written."""
    runner, validated = None, []

    def evaluate(*_):
        validated.append(runner.epoch)
        return {'accuracy/top1': scores[runner.epoch - 1], 'loss': -scores[runner.epoch - 1]}

    monkeypatch.setattr(Evaluator, 'evaluate', evaluate)
    changes = dict(
        train_cfg=dict(by_epoch=True, max_epochs=2, val_interval=1),
        default_hooks=dict(checkpoint=dict(type='AtomicCheckpointHook', interval=1, save_best=best)),
    )
    data = noisy_digits(16, PLAIN_PIPELINE)
    runner = build_runner(tmp_path, classifier(), data, CATCH_UP, **changes)
    save = runner.save_checkpoint

    def stop(folder, filename, *args, **kwargs):
        if filename.startswith('best') and runner.epoch == 2:
            raise KeyboardInterrupt
        save(folder, filename, *args, **kwargs)

    runner.save_checkpoint = stop
    with pytest.raises(KeyboardInterrupt) if scores[1] > scores[0] else contextlib.nullcontext():
        runner.train()
    assert validated == [1, 2]
    runner = build_runner(tmp_path, classifier(), data, CATCH_UP, resume=True, **changes)
    runner.train()
    assert validated == [1, 2] + [2] * again
    number = 2 if scores[1] > scores[0] else 1
    assert {path.name for path in tmp_path.glob('best*top1*')} == {f'best_accuracy_top1_epoch_{number}.pth'}
