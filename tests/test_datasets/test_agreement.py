# SPDX-License-Identifier: Apache-2.0
"""Agreement by chance is that of shuffled labels."""

import itertools

import numpy as np
import pytest

from tcl_plugin.datasets.agreement import chance_agreement


@pytest.mark.parametrize('other', [[0, 1, 2, 0, 1, 2], [0, 0, 0, 0, 1, 2], [1, 1, 1, 1, 1, 1]])
def test_against_all_orders(other):
    one = np.array([0, 0, 0, 1, 1, 2])
    shares = [np.mean(one == np.array(order)) for order in itertools.permutations(other)]
    assert chance_agreement(one, np.array(other), 3) == pytest.approx((np.mean(shares), np.std(shares)), abs=1e-12)


def test_few_and_none():
    assert chance_agreement(np.array([], dtype=int), np.array([], dtype=int), 3) == (0, 0)
    assert chance_agreement(np.array([1]), np.array([1]), 3) == (1, 0)
