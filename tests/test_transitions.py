# SPDX-License-Identifier: Apache-2.0
"""Transition matrices equal their formula, written out in loops; what this package writes, all of it reads."""

import json

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS, TASK_UTILS

from tcl_plugin.transitions import count_transitions, read_matrix

N, K = 41, 4
ROWS = [[0.7, 0.1, 0.1, 0.1], [0.0, 1.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25], [0.4, 0.0, 0.0, 0.6]]


def users(matrix):
    """What the noise and the loss make of a matrix."""
    noise = TASK_UTILS.build(dict(type='TransitionMatrixNoise', matrix=matrix))
    loss = MODELS.build(dict(type='ForwardCorrectionLoss', num_classes=K, matrix=matrix))
    return noise.matrix(K), loss.matrix


def test_counts():
    rng = np.random.RandomState(0)
    true, given = rng.randint(K - 1, size=N), rng.randint(K, size=N)
    found = count_transitions(true, given, K)
    for i in range(K - 1):
        for j in range(K):
            both = sum(1 for n in range(N) if true[n] == i and given[n] == j)
            assert found[i, j] == pytest.approx(both / sum(true == i))
    # No sample is of the last class.
    assert found[K - 1].tolist() == [0, 0, 0, 1]
    # Samples of no class at all do not count.
    with_others = count_transitions(np.append(true, [-1, -1]), np.append(given, [0, 3]), K)
    np.testing.assert_array_equal(with_others, found)
    # Files of labels have small integers.
    assert count_transitions(np.full(5, 99, dtype=np.uint8), np.full(5, 3, dtype=np.uint8), 100)[99, 3] == 1


def test_rows_of_rounded_digits():
    """As files of this package have them; what is exact stays so."""
    rng = np.random.RandomState(0)
    exact = count_transitions(rng.randint(K - 1, size=997), rng.randint(K, size=997), K)
    assert np.array_equal(read_matrix(exact), exact)
    rounded = exact.round(4)
    assert 1e-6 < np.abs(rounded.sum(axis=1) - 1).max() < 1e-4
    drawn, known = users(rounded.tolist())
    np.testing.assert_allclose(drawn.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(drawn, exact, atol=1e-4)
    assert torch.equal(known, torch.from_numpy(drawn).float())
    # Of many classes the digits add up.
    many = count_transitions(np.repeat(np.arange(1000), 1300), rng.randint(1000, size=1_300_000), 1000).round(6)
    assert np.abs(many.sum(axis=1) - 1).max() > 1e-4
    np.testing.assert_allclose(read_matrix(many).sum(axis=1), 1, atol=1e-12)
    with pytest.raises(ValueError, match=r'row 0 sums to 0\.999800, not to 1'):
        read_matrix(np.diag([0.9998, 1, 1, 1]))


@pytest.mark.parametrize('suffix', ['.npy', '.json', '.csv'])
def test_noise_and_loss_read_the_same_files(suffix, tmp_path):
    path = tmp_path / f'matrix{suffix}'
    if suffix == '.npy':
        np.save(path, np.array(ROWS))
    elif suffix == '.json':
        path.write_text(json.dumps(ROWS))
    else:
        np.savetxt(path, ROWS, delimiter=',')
    drawn, known = users(str(path))
    assert drawn.tolist() == ROWS and torch.equal(known, torch.tensor(ROWS))
