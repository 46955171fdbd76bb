# SPDX-License-Identifier: Apache-2.0
"""A run goes on where detection finds nothing out, and says so once."""

import logging
import re
import warnings
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from sklearn.exceptions import ConvergenceWarning
from toy_runs import build_runner, clean_prob_of, hook, noisy_digits, tcl, watch

from tcl_plugin.compat import unwrap_model
from tcl_plugin.detection import OODDetector
from tcl_plugin.hooks.bad_numbers import BadNumbersError
from tcl_plugin.hooks.findings import find
from tcl_plugin.hooks.label_noise_hook import _collapse, _given_up
from tcl_plugin.hooks.ordered_pass import PassBatch


class Collapse(Hook):
    """Give all weights the value 0 after each epoch, before the hook looks."""

    priority = 'VERY_HIGH'

    def before_train(self, runner):
        for parameter in unwrap_model(runner.model).parameters():
            torch.nn.init.zeros_(parameter)

    after_train_epoch = before_train


def warned(runner):
    """Train; return what has been logged as a warning by the hook, and what the head has been told at the end."""
    lines = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())
    runner.logger.addHandler(handler)
    watch(runner, clean_prob_of)
    return [line for line in lines if line.startswith('LabelNoiseHook')], clean_prob_of(unwrap_model(runner.model))


@pytest.mark.filterwarnings('error::tcl_plugin.detection.DetectionWarning')
def test_a_collapsed_network_trusts_all_labels(tmp_path):
    """Its scores are all equal, and it predicts one class: each is said once in three epochs."""
    runner = build_runner(tmp_path, tcl(), noisy_digits(), hook(plot_interval=1), max_epochs=3)
    runner.register_hook(Collapse())
    lines, clean_prob = warned(runner)
    assert len(lines) == 2 and (clean_prob == 1).all()
    assert 'all samples (41, all equal): these labels are all trusted (said once' in lines[0]
    assert 'epoch 1: the network predicts class 0 for all 41 training samples' in lines[1]


def test_classes_without_samples(tmp_path):
    """Twelve digits under noise: some classes are given to none of them, or to one."""
    per_class = hook(dict(type='OODDetector', per_class=True))
    lines, clean_prob = warned(build_runner(tmp_path, tcl(), noisy_digits(12), per_class, max_epochs=2))
    text = ' '.join(lines)
    assert 'no sample has the given label of class' in text and '(only one)' in text
    assert len(lines) == len({line.split(': ', 2)[2][:30] for line in lines}) and clean_prob.isfinite().all()


def test_warnings_of_scikit_learn_are_said_once(tmp_path):
    def warning(self, scores, *args):
        import warnings

        warnings.warn('did not converge', ConvergenceWarning, stacklevel=1)
        return scores

    with mock.patch.object(OODDetector, 'clean_probability', warning):
        lines, _ = warned(build_runner(tmp_path, tcl(), noisy_digits(), hook(), max_epochs=2))
    assert sum('did not converge' in line for line in lines) == 1


def test_other_warnings_and_bad_probabilities_are_let_through(monkeypatch):
    """Of whatever a detector of others may do."""
    probs, given = torch.full((3, 2), 0.5), torch.tensor([0, 1, 1])
    batch, clean_prob = PassBatch(torch.arange(3), torch.eye(3), probs, given), np.ones(3)

    def unsure(*args):
        warnings.warn('something else', RuntimeWarning, stacklevel=1)
        return clean_prob

    monkeypatch.setattr(OODDetector, 'clean_probability', unsure)
    with pytest.warns(RuntimeWarning, match='something else'):
        assert not find([batch], OODDetector(), given.numpy(), 2).remarks
    clean_prob[1] = np.nan
    with (
        pytest.raises(BadNumbersError, match=r'clean probabilities of 1 .* of sample 1'),
        pytest.warns(RuntimeWarning),
    ):
        find([batch], OODDetector(), given.numpy(), 2)
    batch.probs = torch.tensor([[0.5, 0.5], [0.5, 0.5], [np.nan, 0.5]])
    with pytest.raises(BadNumbersError, match=r'predictions of 1 .* of sample 2'):
        find([batch], None, given.numpy(), 2)


def test_classes_are_told_by_number_and_name():
    dataset = SimpleNamespace(
        given_labels=np.array([0, 0, 3]), num_classes=4, metainfo=dict(classes=['1', '10', '2', '3'])
    )
    runner = SimpleNamespace(train_dataloader=SimpleNamespace(dataset=dataset))
    remarks = _collapse(np.array([2, 2, 2]), runner)
    assert remarks['class without labels'] == 'no sample has the given label of class 1 (10), 2'
    assert remarks['one prediction'].startswith('the network predicts class 2 for')


def test_classes_that_are_given_up_are_told():
    """Seldom predicted is not given up, nor is a class of few labels."""
    given, predicted = np.repeat([0, 1, 2, 3], [30, 30, 30, 9]), np.repeat([0, 1, 2, 0], [30, 3, 2, 64])
    dataset = SimpleNamespace(given_labels=given, num_classes=4, metainfo=dict(classes=['a', 'b', 'c', 'd']))
    text = _given_up(predicted, dataset)['class given up']
    assert text.startswith('the network has given up class 2 (c): it predicts 2 samples so, and 30 are labelled so.')
    assert _given_up(given, dataset) == {} and _given_up(np.zeros(99, dtype=int), dataset) == {}  # said otherwise


def test_a_class_given_up_is_told_of_after_the_last_epoch(tmp_path):
    class Lose(Hook):
        """Predict no 3."""

        priority = 'VERY_HIGH'

        def after_train_epoch(self, runner):
            unwrap_model(runner.model).head.classifier[-1].bias.data[3] = -1e3

    runner = build_runner(tmp_path, tcl(), noisy_digits(200), hook(), max_epochs=2)
    runner.register_hook(Lose())
    lines, _ = warned(runner)
    (line,) = [line for line in lines if 'given up class' in line]
    assert re.search(r'epoch 2: the network has given up class ([0-2], )*3\b', line)


@pytest.mark.parametrize(('where', 'said'), [('scores', 'scores of 41'), ('prototypes', 'centres of 1 classes')])
def test_bad_numbers_of_a_detector_still_stop(tmp_path, where, said):
    compute = OODDetector.compute

    def bad(self):
        local = compute(self)
        values = local.scores if where == 'scores' else local.prototypes[:1]
        values.fill_(float('nan'))
        return local

    with mock.patch.object(OODDetector, 'compute', bad), pytest.raises(BadNumbersError, match=said):
        build_runner(tmp_path, tcl(), noisy_digits(), hook()).train()
    assert (tmp_path / 'bad_numbers.json').exists()
