# SPDX-License-Identifier: Apache-2.0
"""Transition matrices that are estimated equal their formulas, written out in loops."""

import numpy as np
import pytest

from tcl_plugin.detection import keep_absent, transitions_from_anchors

N, K = 41, 4


@pytest.mark.parametrize(('percentile', 'above'), [(None, 0), (100, 0), (97.0, 1), (50, 20), (0, 40)])
def test_anchors(percentile, above):
    """The anchor of a class has so many samples above it, of 41."""
    odds = np.random.RandomState(1).rand(N, K) ** 2
    probs = odds / odds.sum(axis=1, keepdims=True)
    found = transitions_from_anchors(probs, percentile)
    for i in range(K):
        (anchor,) = [n for n in range(N) if sum(probs[:, i] > probs[n, i]) == above]
        np.testing.assert_allclose(found[i], probs[anchor])


@pytest.mark.parametrize('percentile', [None, 97, 50, 10, 0])
@pytest.mark.parametrize('values', [1, 2, 3])
def test_anchors_that_are_alike(percentile, values):
    """Of samples with the same probability, the anchor is the one that a stable sort puts there."""
    odds = np.random.RandomState(2).randint(values, size=(N, K)).astype(np.float32) + 1
    odds[3, 1] = np.nan
    place = np.ceil((100 if percentile is None else percentile) / 100 * (N - 1)).astype(int)
    expected = odds[np.argsort(odds, axis=0, kind='stable')[place]].astype(np.float64)
    found = transitions_from_anchors(odds, percentile)
    np.testing.assert_array_equal(found, expected / expected.sum(axis=1, keepdims=True))


def test_classes_without_labels_keep_theirs():
    matrix = np.full((K, K), 0.25)
    found = keep_absent(matrix, np.array([0, 3, 3, 0]))
    assert found[[1, 2]].tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]
    assert (found[[0, 3]] == 0.25).all() and (matrix == 0.25).all()


def test_anchors_of_a_perfect_network_give_the_matrix():
    """One that knows the class of each sample and how labels of the class go wrong."""
    truth = np.array([[0.8, 0.2, 0.0], [0.1, 0.6, 0.3], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(transitions_from_anchors(np.repeat(truth, 20, axis=0), 97), truth)


@pytest.mark.parametrize('percentile', [-1, 100.5])
def test_refusal(percentile):
    with pytest.raises(ValueError, match=rf'percentile must be None or lie in \[0, 100\], got {percentile}'):
        transitions_from_anchors(np.eye(3), percentile)
