# SPDX-License-Identifier: Apache-2.0
"""The mixture of two betas equals its formulas, written out in loops, and separates what it should."""

import math
from unittest import mock

import numpy as np
import pytest
import torch

from tcl_plugin.detection import BetaMixture, BetaMixtureDetector, DetectionWarning, fit_beta_mixture

N = 60


@pytest.fixture
def losses():
    rng = np.random.RandomState(0)
    return np.concatenate([rng.beta(2, 9, N // 2), rng.beta(7, 3, N // 2)])


def density(x, a, b):
    log_constant = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(log_constant + (a - 1) * math.log(x) + (b - 1) * math.log(1 - x))


def shares(x, alpha, beta, weight):
    odds = [weight[k] * density(x, alpha[k], beta[k]) for k in range(2)]
    return [odd / sum(odds) for odd in odds]


def fit_slowly(losses, iterations):
    alpha, beta, weight = [1.0, 2.0], [2.0, 1.0], [0.5, 0.5]
    for _ in range(iterations):
        gamma = [shares(x, alpha, beta, weight) for x in losses]
        for k in range(2):
            total = sum(g[k] for g in gamma)
            mean = sum(g[k] * x for g, x in zip(gamma, losses, strict=True)) / total
            variance = sum(g[k] * (x - mean) ** 2 for g, x in zip(gamma, losses, strict=True)) / total
            alpha[k] = mean * (mean * (1 - mean) / variance - 1)
            beta[k] = alpha[k] * (1 - mean) / mean
            weight[k] = total / len(losses)
    return alpha, beta, weight


@pytest.mark.parametrize('iterations', [1, 10])
def test_fit_in_plain_numbers(losses, iterations):
    found, (alpha, beta, weight) = fit_beta_mixture(losses, iterations), fit_slowly(losses, iterations)
    np.testing.assert_allclose(found.alpha, alpha, rtol=1e-6)
    np.testing.assert_allclose(found.beta, beta, rtol=1e-6)
    np.testing.assert_allclose(found.weight, weight, rtol=1e-6)
    expected = np.transpose([shares(x, alpha, beta, weight) for x in losses])
    np.testing.assert_allclose(found.posterior(losses), expected, rtol=1e-6)


@pytest.mark.parametrize('low', [(2, 12), (1, 20)])
@pytest.mark.parametrize('size', [2000, 6000])
def test_fit_separates_what_was_drawn(low, size):
    rng = np.random.RandomState(0)
    drawn = np.concatenate([rng.beta(*low, size), rng.beta(9, 3, 4000)])
    mixture = fit_beta_mixture(drawn)
    wrong = np.arange(len(drawn)) >= size
    assert ((mixture.noisy_probability(drawn) > 0.5) == wrong).mean() > 0.95
    assert sorted(mixture.weight) == pytest.approx(sorted([size / len(drawn), 4000 / len(drawn)]), abs=0.1)


def test_losses_at_the_ends(losses):
    """Where a density may be 0 or infinite."""
    found = fit_beta_mixture(np.array([0.0, 0.0, 0.5, 1.0, 1.0, *losses]))
    assert all(np.isfinite(values).all() for values in (found.alpha, found.beta, found.weight))
    assert np.isfinite(found.posterior(np.array([0.0, 1.0]))).all()
    for end in (0.0, 1.0):
        found = fit_beta_mixture(np.full(4, end))
        assert np.isfinite([found.alpha, found.beta, found.weight]).all()


def test_the_highest_losses_are_noisy():
    """A wide component of low losses would take them back."""
    mixture = BetaMixture(np.array([0.5, 40.0]), np.array([0.9, 20.0]), np.array([0.5, 0.5]))
    x = np.linspace(0, 1, 201)
    plain, found = mixture.posterior(x)[1], mixture.noisy_probability(x)
    assert plain[-1] < 0.01 < 0.9 < plain.max()
    peak = plain.argmax()
    assert (np.diff(found[peak:]) == 0).all() and found[-1] == pytest.approx(plain.max(), rel=1e-3)
    np.testing.assert_allclose(found[: peak - 1], plain[: peak - 1])


def test_the_lowest_losses_are_clean():
    """A narrow component of low losses would leave the very lowest to a wide one of high losses."""
    mixture = BetaMixture(np.array([20.0, 1.2]), np.array([60.0, 1.2]), np.array([0.5, 0.5]))
    x = np.linspace(0, 1, 201)
    plain, found = mixture.posterior(x)[1], mixture.noisy_probability(x)
    assert plain[1] > 0.99 and found[1] < 0.2 and found[50] < 0.2  # 0.25 is the mean of the narrow one
    assert found[-1] == pytest.approx(plain[51:].max(), rel=1e-3) and found[-1] > 0.99
    assert (np.diff(found) >= 0).all()


def detect(scores, **kwargs):
    return BetaMixtureDetector(**kwargs).clean_probability(np.asarray(scores), None, 2)


def test_clean_probability_in_plain_numbers():
    """Outliers take no part in the fit, and are judged as the ends of what does."""
    scores = np.random.RandomState(0).rand(N) ** 2
    losses = [-math.log(score) for score in scores]
    ordered = sorted(losses)

    def quantile(share):  # between two samples, by their distance
        place = share * (N - 1)
        below = int(place)
        return ordered[below] + (place - below) * (ordered[below + 1] - ordered[below])

    low, high = quantile(0.05), quantile(0.95)
    mixture = fit_beta_mixture(np.array([(x - low) / (high - low) for x in losses if low <= x <= high]))
    scaled = np.array([min(max((x - low) / (high - low), 0), 1) for x in losses])
    np.testing.assert_allclose(detect(scores), 1 - mixture.noisy_probability(scaled), rtol=1e-6, atol=1e-9)


def test_right_and_wrong_labels_are_told_apart():
    rng = np.random.RandomState(0)
    scores = np.concatenate([rng.beta(8, 2, 1000), rng.beta(1.2, 20, 1500)])
    clean_prob = detect(scores)
    assert ((clean_prob >= 0) & (clean_prob <= 1)).all()
    assert (clean_prob[:1000] > 0.5).mean() > 0.98 and (clean_prob[1000:] < 0.5).mean() > 0.8
    # A higher score is never less clean.
    assert (np.diff(clean_prob[scores.argsort()]) >= -1e-9)[1250:].all()


def test_a_pass_in_two_batches():
    generator = torch.Generator().manual_seed(0)
    probs = torch.randn(N, 4, generator=generator).softmax(dim=1)
    labels = torch.randint(4, (N,), generator=generator)
    detector = BetaMixtureDetector()
    detector.update(torch.zeros(3, 2), torch.ones(3, 4), torch.zeros(3, dtype=torch.int64))
    detector.reset()
    for part in (slice(0, 25), slice(25, N)):
        detector.update(torch.zeros(N, 2)[part], probs[part], labels[part])
    found = detector.compute()
    assert found.prototypes is None
    assert found.scores.tolist() == [float(probs[i, labels[i]]) for i in range(N)]


def test_losses_that_tell_nothing():
    """All labels are trusted: equal losses but for outliers, and components that are the same."""
    with pytest.warns(DetectionWarning, match='losses of 40 samples are all equal but for outliers'):
        assert detect([0.25] * 39 + [0.3]).tolist() == [1.0] * 40
    same = BetaMixture(np.array([2.0, 2.0]), np.array([3.0, 3.0]), np.array([0.5, 0.5]))
    with (
        mock.patch('tcl_plugin.detection.beta_mixture.fit_beta_mixture', return_value=same),
        pytest.warns(DetectionWarning, match='two components with the same mean'),
    ):
        assert (detect(np.linspace(0.1, 0.9, 30)) == 1).all()


def test_components_that_are_much_the_same():
    """Losses far apart, one in ten high, are where ten steps end so; by the formula no label would be trusted."""
    rng = np.random.default_rng(0)
    probs = np.r_[1 - rng.beta(1, 30, 4500), rng.beta(1, 50, 500)]
    with pytest.warns(DetectionWarning, match='two components that are much the same'):
        assert (detect(probs) == 1).all()


def test_refusals():
    with pytest.raises(ValueError, match=r'1 of 3 scores are NaN or infinite, the first at sample 1'):
        detect([0.1, math.nan, 0.3])
    with pytest.raises(ValueError, match='without samples'):
        BetaMixtureDetector().compute()
    with pytest.raises(ValueError, match='iterations must be 1 or more, got 0'):
        BetaMixtureDetector(iterations=0)
    with pytest.raises(ValueError, match=r'outliers must lie in \[0, 0.5\), got 0.5'):
        BetaMixtureDetector(outliers=0.5)
