# SPDX-License-Identifier: Apache-2.0
"""A run whose numbers go bad stops, says where, and leaves what one needs to look at it; and no checkpoint."""

import json
from unittest import mock

import numpy as np
import pytest
import torch
from hook_workers import diverge, refuse_outputs
from host_waits import HostWaits
from killing import full_disk
from mmengine.hooks import Hook
from toy_runs import PLAIN_PIPELINE, THREE_VIEWS, build_runner, classifier, hook, noisy_digits, tcl

from tcl_plugin.compat import unwrap_model
from tcl_plugin.hooks import BadNumbersHook
from tcl_plugin.hooks.bad_numbers import BadNumbersError, evidence_of_pass, keep_evidence

SAVING = dict(
    logger=dict(type='LoggerHook', interval=3), checkpoint=dict(type='CheckpointHook', interval=1, by_epoch=False)
)
QUIET = dict(logger=dict(type='LoggerHook', interval=100), checkpoint=dict(type='CheckpointHook', interval=1))


class Poison(Hook):
    """Make one number bad before a step: of a loss, or of a weight after it."""

    priority = 'VERY_HIGH'

    def __init__(self, at, where='loss_contrast', value=float('nan')):
        self.at, self.where, self.value, self.seen = at, where, value, []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append([sample.sample_idx for sample in data_batch['data_samples']])
        if runner.iter + 1 != self.at:
            return
        model = unwrap_model(runner.model)
        if self.where == 'gradient':
            model.head.classifier[4].weight.register_hook(lambda grad: grad * self.value)
            return
        loss = model.head.loss

        def poisoned(*args, **kwargs):
            losses = loss(*args, **kwargs)
            return losses | {self.where: losses[self.where] * self.value}

        model.head.loss = poisoned


def stop(work_dir, poison, *hooks, defaults=SAVING, **changes):
    """Train, and be stopped; return the error, the record and the state."""
    hooks = hooks or (hook(), dict(type='BadNumbersHook'))
    runner = build_runner(
        work_dir, tcl(), noisy_digits(70, THREE_VIEWS), *hooks, default_hooks=defaults, max_epochs=2, **changes
    )
    runner.register_hook(poison)
    with pytest.raises(BadNumbersError) as caught:
        runner.train()
    record = json.loads((work_dir / 'bad_numbers.json').read_text())
    return caught.value, record, torch.load(work_dir / 'bad_numbers.pth', weights_only=True)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_a_bad_loss(tmp_path, value):
    """Noticed five steps late, when the epoch ends; the good weights are those of the last look."""
    poison = Poison(7, value=value)
    error, record, state = stop(tmp_path, poison, defaults=QUIET)
    assert 'loss_contrast NaN or infinite in epoch 2, iteration 7, samples' in str(error)
    assert 'weights were good after iteration 5' in str(error)
    assert (record['term'], record['epoch'], record['iter'], record['noticed_iter']) == ('loss_contrast', 2, 7, 10)
    assert record['sample_idx'] == poison.seen[6] and len(record['given_label']) == 16
    assert record['losses']['loss_contrast'] == str(value) and isinstance(record['losses']['loss_cross'], float)
    assert any(name.startswith('backbone.') for name in record['bad_tensors'])
    good = torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['state_dict']
    assert state['before']['iter'] == 5
    # The pass after the epoch has renewed the prototypes.
    same = {name: torch.equal(good[name], tensor) for name, tensor in state['before']['state_dict'].items()}
    assert [name for name, equal in same.items() if not equal] == ['head.prototypes']
    name = next(iter(record['bad_tensors']))
    assert not state['state_dict'][name].isfinite().all()
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['bad_numbers.pth', 'epoch_1.pth']
    assert not list(tmp_path.glob('*.tmp'))


def test_a_resumed_run_was_good_when_it_was_loaded(tmp_path):
    stop(tmp_path / 'first', Poison(7), defaults=QUIET)
    loaded = dict(resume=True, load_from=str(tmp_path / 'first' / 'epoch_1.pth'))
    error, _, _ = stop(tmp_path / 'second', Poison(7), defaults=QUIET, **loaded)
    assert 'epoch 2, iteration 7, samples' in str(error) and 'weights were good after iteration 5' in str(error)


def test_no_checkpoint_holds_a_bad_step(tmp_path):
    """One is due after each step, and a line of the log after each third."""
    stop(tmp_path, Poison(2))
    assert sorted(path.name for path in tmp_path.glob('iter_*.pth')) == ['iter_1.pth']


def test_bad_weights_after_a_good_loss(tmp_path):
    error, record, _ = stop(tmp_path, Poison(2, where='gradient'))
    assert 'weights NaN or infinite in epoch 1, iteration 2:' in str(error)
    assert list(record['bad_tensors']) == ['head.classifier.4.weight']


def test_a_bad_pass(tmp_path):
    """Without a look at the steps the pass over the training set finds it."""
    error, record, state = stop(tmp_path, Poison(5), hook(), defaults=QUIET)
    assert str(error).startswith('after epoch 1, iteration 5: features of 70 training samples are NaN or infinite')
    assert (
        record['term'] == 'features' and record['sample_idx'] == list(range(70)) and len(record['given_label']) == 70
    )
    assert state['before'] is None and record['bad_tensors']


def test_steps_ask_nothing_until_a_look_is_due(tmp_path):
    runner = build_runner(tmp_path, classifier(), noisy_digits(70, PLAIN_PIPELINE))
    watching = BadNumbersHook(interval=4)
    runner.register_hook(watching)
    model = runner.model
    watching.before_train(runner)
    outputs = dict(loss=torch.tensor(2.0), loss_cross=torch.tensor(2.0))
    asked = []
    for step in range(5):
        with HostWaits(*outputs.values(), *model.parameters(), *model.buffers()) as waits:
            watching.after_train_iter(runner, step, dict(data_samples=[]), outputs)
        asked.append(len(waits.found))
    assert asked == [0, 0, 0, 1, 1]  # the fifth ends the epoch


def test_processes_stop_alike(two_processes, tmp_path):
    """The loss of the second process alone is bad; both say so in the same words."""
    first, second = two_processes(diverge, str(tmp_path), {1: 2})
    assert first == second and 'loss_cross NaN or infinite in epoch 1, iteration 2, samples' in first
    record = json.loads((tmp_path / 'bad_numbers.json').read_text())
    assert record['rank'] == 1 and record['iter'] == 2


def test_the_earliest_of_all_processes_is_told(two_processes, tmp_path):
    """A look after three steps finds the third of the first process bad, and the second of the other."""
    first, second = two_processes(diverge, str(tmp_path), {0: 3, 1: 2}, 3)
    assert first == second and 'loss_cross NaN or infinite in epoch 1, iteration 2, samples' in first
    record = json.loads((tmp_path / 'bad_numbers.json').read_text())
    assert (record['rank'], record['iter'], record['noticed_iter']) == (1, 2, 3)


def test_processes_refuse_outputs_alike(two_processes):
    first, second = two_processes(refuse_outputs)
    assert first == second
    assert first.startswith('predictions of 1 training samples are NaN or infinite, the first of sample 3')


def before_step(work_dir, **settings):
    """A runner that could train, and its hook, which looks by itself after a hundred steps."""
    runner = build_runner(work_dir, classifier(), noisy_digits(70, PLAIN_PIPELINE), default_hooks=SAVING | settings)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    watching = BadNumbersHook(interval=100)
    watching.before_train(runner)
    return runner, watching


def test_a_bad_loss_that_no_weight_has_felt(tmp_path):
    """As while gradients are accumulated. Whoever saves, it is noticed before."""
    runner, watching = before_step(tmp_path, checkpoint=dict(type='CheckpointHook', interval=1))
    watching.after_train_iter(runner, 0, {}, dict(loss=torch.tensor(2.0), loss_cross=torch.tensor(float('nan'))))
    with pytest.raises(BadNumbersError, match='loss_cross NaN or infinite in epoch 1, iteration 1'):
        watching.before_save_checkpoint(runner, {})


def test_all_processes_look_before_one_of_them_saves(tmp_path):
    """One that stopped alone would leave the others waiting."""
    runner, watching = before_step(tmp_path)
    watching.after_train_iter(runner, 0, {}, dict(loss=torch.tensor(2.0)))
    assert watching.good['iter'] == 1
    watching.good, watching.keep_good = None, False
    watching.after_train_iter(runner, 1, {}, dict(loss=torch.tensor(2.0)))
    assert watching.good is None


def test_a_full_disk_does_not_hide_what_was_bad(tmp_path):
    """The log has it; what an earlier run has left stays whole."""
    runner = mock.Mock(model=torch.nn.Linear(30, 30), work_dir=tmp_path, epoch=1, iter=2)
    runner.optim_wrapper.state_dict.return_value = {}
    keep_evidence(runner, dict(message='loss NaN'))
    former = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with full_disk(1000), pytest.raises(OSError, match=r'bad_numbers\.pth'):
        keep_evidence(runner, dict(message='loss NaN'))
    assert [call.args for call in runner.logger.error.call_args_list] == [('loss NaN',)] * 2
    assert len(former) == 2 and {path: path.read_bytes() for path in tmp_path.iterdir()} == former


def test_a_bad_pass_has_the_weights_that_were_good(tmp_path):
    """Of the last look, where a hook looks at the steps."""
    watching = BadNumbersHook()
    watching.good = dict(iter=5, state_dict={})
    runner = mock.Mock(model=torch.nn.Linear(2, 2), work_dir=tmp_path, epoch=1, iter=7, hooks=[Hook(), watching])
    runner.optim_wrapper.state_dict.return_value = {}
    dataset = mock.Mock(given_labels=np.array([3, 4, 5]))
    with pytest.raises(BadNumbersError, match='iteration 7: scores'), evidence_of_pass(runner, dataset, 1):
        raise BadNumbersError('scores', 'scores', np.array([1]))
    record = json.loads((tmp_path / 'bad_numbers.json').read_text())
    assert record['good_iter'] == 5 and record['given_label'] == [4]
    assert torch.load(tmp_path / 'bad_numbers.pth', weights_only=True)['before'] == watching.good


def test_interval():
    with pytest.raises(ValueError, match='interval must be 1 or more, got 0'):
        BadNumbersHook(interval=0)
