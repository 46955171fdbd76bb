# SPDX-License-Identifier: Apache-2.0
"""Scores become probabilities, and scores that cannot are refused with a reason."""

import numpy as np
import pytest

from tcl_plugin.detection import fit_clean_probability, fit_score_mixture


@pytest.fixture
def scores():
    rng = np.random.RandomState(0)
    return np.concatenate([rng.normal(0.2, 0.05, 30), rng.normal(0.8, 0.05, 50)])


def test_high_scores_are_clean_whatever_their_scale(scores):
    clean_prob = fit_clean_probability(scores)
    assert clean_prob.shape == (80,) and clean_prob.dtype == np.float64
    assert (clean_prob[:30] < 0.01).all() and (clean_prob[30:] > 0.99).all()
    np.testing.assert_allclose(fit_clean_probability(1e-3 * scores - 5), clean_prob, atol=1e-9)


def test_a_mixture_for_each_class_knows_low_classes(scores):
    """A class all of whose scores are low: wrong as a whole for one mixture, but not for its own."""
    labels = np.repeat([0, 1], 80)
    both = np.concatenate([scores, scores / 20])
    one = fit_clean_probability(both)
    each = fit_clean_probability(both, labels, num_classes=2)
    assert (one[80:] < 0.5).all()
    assert ((each > 0.5) == np.tile(np.arange(80) >= 30, 2)).all()


@pytest.mark.parametrize('per_class', [False, True])
def test_a_fit_to_some_agrees_with_a_fit_to_all(per_class):
    """Twenty times as many samples as the fit sees, in two classes that differ."""
    rng = np.random.RandomState(0)
    labels = rng.randint(2, size=40_000)
    clean = rng.rand(40_000) < 0.3
    scores = np.where(clean, rng.beta(6, 2, 40_000), rng.beta(1.2, 8, 40_000)) / (1 + labels)
    args = (scores, labels, 2) if per_class else (scores,)
    whole = fit_clean_probability(*args, max_samples=40_000)
    part = fit_clean_probability(*args, max_samples=2_000)
    assert not (part == whole).all()
    assert np.abs(part - whole).mean() < 0.02
    assert ((part > 0.5) == (whole > 0.5)).mean() > 0.98
    assert (part == fit_clean_probability(*args, max_samples=2_000)).all()


@pytest.mark.parametrize('per_class', [False, True])
def test_the_mixture_itself_gives_the_same_probabilities(scores, per_class):
    """Scores of two classes far apart: a class's own mixture is alone where its scores are."""
    args = (np.concatenate([scores, scores + 9]), np.repeat([0, 1], 80), 2) if per_class else (scores,)
    mixture, clean_prob = fit_score_mixture(*args), fit_clean_probability(*args)
    wrong, right = mixture.density(args[0])
    np.testing.assert_allclose(right / (wrong + right), clean_prob, atol=1e-6)
    np.testing.assert_allclose(mixture.means[:, 0], [0.2, 0.8], atol=0.05)
    grid = np.linspace(-2, 12, 20_001)
    assert np.trapezoid(mixture.density(grid).sum(axis=0), grid) == pytest.approx(1, abs=1e-3)
    assert mixture.weights[:, 0].sum() == pytest.approx(0.5 if per_class else 1)


def test_the_global_generator_is_left_alone(scores):
    state = np.random.get_state()[1].copy()
    first = fit_clean_probability(scores)
    assert (np.random.get_state()[1] == state).all()
    np.random.seed(2)
    assert (fit_clean_probability(scores) == first).all()


@pytest.mark.parametrize(
    ('scores', 'labels', 'reason'),
    [
        ([0.1, np.nan, 0.3, np.inf], None, r'2 of 4 scores are NaN or infinite, the first at sample 1'),
        ([0.25] * 4, None, r'all 4 scores are equal \(0\.25\).*collapsed'),
        ([0.1, 0.1, 0.4, 0.5], [0, 0, 1, 1], r'all 2 scores of class 0 are equal'),
        ([0.1, 0.2, 0.3, 0.4], [0, 0, 1, 0], r'class 1 has 1 sample.*per_class=False'),
        ([0.1, 0.2, 0.3, 0.4], [1, 1, 1, 1], r'class 0 has 0 sample.*per_class=False'),
    ],
)
def test_refusals(scores, labels, reason):
    labels = None if labels is None else np.array(labels)
    with pytest.raises(ValueError, match=reason):
        fit_clean_probability(np.array(scores), labels, num_classes=2)
