# SPDX-License-Identifier: Apache-2.0
"""The class mixture equals its formulas, written out sample by sample."""

import math

import pytest
import torch
import torch.nn.functional as F

from tcl_plugin.detection import class_means, class_variances, posterior
from tcl_plugin.detection.mixture import ClassSums

N, K, D = 23, 4, 5


@pytest.fixture
def features():
    return F.normalize(torch.randn(N, D, generator=torch.Generator().manual_seed(0)).double(), dim=1)


@pytest.fixture
def probs():
    return torch.randn(N, K, generator=torch.Generator().manual_seed(1)).double().mul(2).softmax(dim=1)


@pytest.fixture
def means(features, probs):
    return class_means(probs.t() @ features)


def test_class_means(features, probs, means):
    for k in range(K):
        weight = sum(probs[i, k] for i in range(N))
        average = sum(probs[i, k] * features[i] for i in range(N)) / weight
        torch.testing.assert_close(means[k], average / average.norm())


def test_sums_of_millions_of_samples_lose_none():
    """In one batch or two, where float32 has no room for one more."""
    many, one, ones = torch.tensor([[2.0**24]]), torch.tensor([[1.0]]), torch.ones(2, 1)
    for batches in [[(ones[:1], many), (ones[:1], one)], [(ones, torch.cat([many, one]))]]:
        found = ClassSums()
        for batch in batches:
            found.update(*batch)
        assert found.sums.item() == found.weights.item() == 2**24 + 1


def test_class_variances(features, probs, means):
    found = class_variances(probs.t() @ features, probs.sum(dim=0), means)
    for k in range(K):
        squared = [float(((features[i] - means[k]) ** 2).sum()) for i in range(N)]
        expected = sum(float(probs[i, k]) * squared[i] for i in range(N)) / float(probs[:, k].sum())
        assert float(found[k]) == pytest.approx(expected, rel=1e-9)


def test_class_variances_at_their_ends():
    """No spread at all, and a class that nothing is predicted to be."""
    one = F.normalize(torch.tensor([[1.0, 2.0, 3.0]]), dim=1)
    # Rounding must not make it negative.
    assert 0 <= class_variances(7 * one, torch.tensor([7.0]), one) < 1e-5
    nothing = torch.zeros(1, 3)
    assert class_variances(nothing, torch.zeros(1), class_means(nothing)) == 2


def test_posterior_with_a_spread_for_each_class(features, means):
    sigma = torch.tensor([0.1, 0.25, 0.5, 1.5], dtype=torch.float64)
    found = posterior(features, means, sigma)
    for i in range(N):
        odds = [math.exp(float(features[i] @ means[k]) / float(sigma[k])) for k in range(K)]
        for k in range(K):
            assert float(found[i, k]) == pytest.approx(odds[k] / sum(odds), rel=1e-9)


def test_posterior_with_one_spread_is_that_of_equal_spreads(features, means):
    torch.testing.assert_close(posterior(features, means, 0.3), posterior(features, means, torch.full((K,), 0.3)))
