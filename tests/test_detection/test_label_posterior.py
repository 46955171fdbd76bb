# SPDX-License-Identifier: Apache-2.0
"""Probabilities of labels against a plain version, and on labels whose noise is known."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score

from tcl_plugin.detection import LabelPosterior, estimate_transition


def judge(probs, labels, size=16):
    posterior = LabelPosterior()
    for rows in torch.arange(len(labels)).split(size):
        posterior.update(probs[rows], labels[rows])
    return posterior.compute()


def test_plain_version():
    generator = torch.Generator().manual_seed(0)
    probs = torch.rand(50, 4, generator=generator).softmax(dim=1)
    labels = torch.randint(4, (50,), generator=generator)
    joint = [[sum(float(probs[i, k]) for i in range(50) if labels[i] == c) for c in range(4)] for k in range(4)]
    rates = [[value / sum(row) for value in row] for row in joint]
    kept = sum(rates[k][k] for k in range(4)) / 4
    mixed = [[(rates[k][c] + (kept if k == c else (1 - kept) / 3)) / 2 for c in range(4)] for k in range(4)]
    found = judge(probs, labels)
    assert found.prototypes is None and found.scores.dtype == torch.float32
    for i in range(50):
        weights = [float(probs[i, k]) * mixed[k][int(labels[i])] for k in range(4)]
        best = max(range(4), key=weights.__getitem__)
        assert float(found.scores[i]) == pytest.approx(weights[int(labels[i])] / sum(weights), abs=1e-3)
        assert int(found.suggested_label[i]) == best
        assert float(found.suggested_prob[i]) == pytest.approx(weights[best] / sum(weights), abs=1e-3)


def test_noise_in_one_direction_beats_the_prediction_alone():
    """Labels of class 0 become 1 and never the other way: where the network is in doubt, that is what decides."""
    rng = np.random.default_rng(0)
    true = rng.integers(3, size=3000)
    given = np.where((true == 0) & (rng.random(3000) < 0.4), 1, true)
    logits = rng.normal(size=(3000, 3)) + 1.5 * np.eye(3)[true]
    probs = torch.from_numpy(logits).softmax(dim=1).float()
    wrong, own = given != true, probs.numpy()[np.arange(3000), given]
    quality = judge(probs, torch.from_numpy(given)).scores.numpy()
    assert roc_auc_score(~wrong, quality) > roc_auc_score(~wrong, own) + 0.01
    assert f1_score(wrong, quality < 0.5) > f1_score(wrong, own < 0.5) + 0.01


def test_transition_of_a_class_that_nothing_is_predicted_to_be():
    found = estimate_transition(torch.tensor([[3.0, 1, 0], [0, 4, 0], [0, 0, 0]]))
    assert found.shape == (3, 3) and found.isfinite().all()
    torch.testing.assert_close(found.sum(dim=1), torch.ones(3, dtype=torch.float64))
    assert found[2].argmax() == 2
    torch.testing.assert_close(estimate_transition(torch.eye(2)), torch.eye(2).double())


def test_sure_predictions_leave_numbers():
    """Also against the label, and where a probability underflows in half precision."""
    found = judge(torch.tensor([[1.0, 0, 0], [0, 1, 0], [1, 0, 0], [1 - 1e-9, 1e-9, 0]]), torch.tensor([0, 1, 2, 1]))
    assert found.scores.isfinite().all() and found.suggested_prob.isfinite().all()
    assert (found.scores[:2] > 0.5).all() and (found.scores > 0).all()


def test_wrong_labels_are_found_where_few_are_wrong():
    """One in ten thousand, which a network that is certain predicts against."""
    true = torch.arange(20_000) % 10
    given = true.clone()
    given[:2] = torch.tensor([5, 7])
    probs = torch.full((20_000, 10), 1e-7)
    probs[torch.arange(20_000), true] = 1 - 9e-7
    found = judge(probs, given, size=5_000)
    assert (found.scores[:2] < 0.01).all() and (found.scores[2:] > 0.99).all()
    assert found.suggested_label[:2].tolist() == [0, 1]


def test_no_samples():
    with pytest.raises(ValueError, match='needs samples'):
        LabelPosterior().compute()
