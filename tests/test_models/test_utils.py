# SPDX-License-Identifier: Apache-2.0
"""Mixing equals its formula, and its draws come from the distribution that it names."""

import numpy as np
import pytest
import torch

from tcl_plugin.models.utils import Mixing, draw_mixing, gather_with_grad, mean_over_processes


def test_mixing_sample_by_sample():
    x, partner = torch.randn(5, 3, 2, 2), torch.tensor([4, 2, 2, 0, 1])
    mixed = Mixing(0.7, partner)(x)
    for i in range(5):
        torch.testing.assert_close(mixed[i], 0.7 * x[i] + 0.3 * x[int(partner[i])])


def test_draws():
    torch.manual_seed(0)
    draws = [draw_mixing(6, 1.0) for _ in range(200)]
    lams = torch.tensor([draw.lam for draw in draws])
    # max(l, 1 - l) of a uniform l is uniform in [0.5, 1]
    assert 0.5 <= lams.min() < 0.52 and 0.98 < lams.max() <= 1 and abs(lams.mean() - 0.75) < 0.03
    assert all(draw.partner.sort().values.tolist() == list(range(6)) for draw in draws)
    assert len({tuple(draw.partner.tolist()) for draw in draws}) > 100


@pytest.mark.parametrize('alpha', [0.2, 32.0])
def test_shares_are_drawn_from_beta(alpha):
    """Of a small alpha most images stay as they are, of a large one all are mixed half and half."""
    torch.manual_seed(0)
    lams = torch.tensor([draw_mixing(2, alpha).lam for _ in range(1000)])
    drawn = np.random.default_rng(0).beta(alpha, alpha, 100_000)
    expected = np.maximum(drawn, 1 - drawn)
    assert float(lams.mean()) == pytest.approx(expected.mean(), abs=0.015)
    assert float(lams.std()) == pytest.approx(expected.std(), rel=0.1)


def test_alpha_of_zero_mixes_nothing():
    x = torch.randn(4, 2)
    mixing = draw_mixing(4, 0.0)
    assert mixing.lam == 1 and torch.equal(mixing(x), x)


@pytest.mark.parametrize('function', [gather_with_grad, mean_over_processes])
def test_alone_nothing_is_communicated(function):
    x = torch.randn(3, 2, requires_grad=True)
    assert function(x) is x
