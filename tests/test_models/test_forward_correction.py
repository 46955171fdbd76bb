# SPDX-License-Identifier: Apache-2.0
"""Forward correction equals its formula, written out in loops, and refuses what is no transition matrix."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.runner import checkpoint
from mmpretrain.registry import MODELS

from tcl_plugin.models.losses import forward_correction

B, K = 7, 4
ROWS = [[0.7, 0.1, 0.1, 0.1], [0.0, 1.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25], [0.4, 0.0, 0.0, 0.6]]


@pytest.fixture
def logits():
    return 3 * torch.randn(B, K, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def target():
    return torch.arange(B) % K


def build(matrix=None, **kwargs):
    return MODELS.build(dict(type='ForwardCorrectionLoss', num_classes=K, matrix=matrix, **kwargs))


def test_in_plain_numbers(logits, target):
    odds = np.exp(logits.double().numpy())
    p = odds / odds.sum(axis=1, keepdims=True)
    given = [[sum(ROWS[i][j] * p[n, i] for i in range(K)) for j in range(K)] for n in range(B)]
    loss = build(ROWS)
    hard = [-math.log(given[n][target[n]]) for n in range(B)]
    assert loss(logits, target, reduction_override='none').tolist() == pytest.approx(hard, rel=1e-5)
    soft = F.one_hot(target, K) * 0.7 + 0.3 / K
    expected = [-sum(float(soft[n, j]) * math.log(given[n][j]) for j in range(K)) for n in range(B)]
    assert float(loss(logits, soft)) == pytest.approx(sum(expected) / B, rel=1e-5)


def test_without_a_matrix_it_is_cross_entropy(logits, target):
    logits = (10 * logits).requires_grad_()
    losses = [build()(logits, target), F.cross_entropy(logits, target)]
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*[torch.autograd.grad(loss, logits)[0] for loss in losses], rtol=1e-4, atol=1e-6)


def test_a_network_that_is_very_sure_and_wrong_learns():
    """As far from the label as cross-entropy can be: the gradient is that of cross-entropy still."""
    logits = torch.tensor([[200.0, 0.0, 0.0, 0.0]], requires_grad=True)
    for matrix in (None, torch.eye(K)):
        loss = build(matrix)(logits, torch.tensor([2]))
        assert loss.item() == pytest.approx(200)
        assert torch.autograd.grad(loss, logits)[0].tolist() == [[1, 0, -1, 0]]


def test_a_label_that_no_class_gets(logits):
    """A label of probability 0 costs much, but nothing is infinite."""
    logits.requires_grad_()
    loss = build([[1.0, 0, 0, 0]] * K)(logits, torch.full((B,), 2))
    loss.backward()
    assert loss > 80 and loss.isfinite() and logits.grad.isfinite().all()


def test_half_precision_outside_changes_nothing(logits, target):
    with torch.autocast('cpu', dtype=torch.bfloat16):
        found = build(ROWS)(logits, target)
    assert found == build(ROWS)(logits, target)


def test_matrix_travels_with_the_weights():
    known, other = build(ROWS), build()
    assert other.matrix.tolist() == torch.eye(K).tolist()
    other.load_state_dict(known.state_dict())
    assert other.matrix.tolist() == torch.tensor(ROWS).tolist()


@pytest.mark.parametrize('load', [lambda model, state: model.load_state_dict(state), checkpoint.load_state_dict])
def test_a_given_matrix_stands(load, monkeypatch):
    """Whatever a checkpoint has, as torch and mmengine load it; it is said where that is another."""
    said = []
    monkeypatch.setattr(forward_correction, 'print_log', lambda text, **kwargs: said.append(text))
    monkeypatch.setattr(checkpoint, 'print_log', lambda text, **kwargs: said.append(text))
    for state, other in (build().state_dict(), True), (build(ROWS).state_dict(), False), ({}, False):
        before = dict(state)
        known = build(ROWS)
        load(known, state)
        assert known.matrix.tolist() == torch.tensor(ROWS).tolist()
        expected = (
            ['ForwardCorrectionLoss: the matrix of the config stands, not that of the checkpoint'] if other else []
        )
        assert [line.partition(', which')[0] for line in said] == expected
        said.clear()
        assert dict(state) == before
    with pytest.raises(RuntimeError, match='Missing key'):
        build().load_state_dict({})


def test_hard_labels_need_no_table_of_all_pairs(logits, target):
    """And have the loss and the gradient of the same labels one-hot."""
    shapes = []
    logits.requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda saved: shapes.append(saved.shape) or saved, torch.clone):
        found = build(ROWS)(logits, target)
    assert shapes and all(shape.numel() <= B * K for shape in shapes)
    expected = build(ROWS)(logits, F.one_hot(target, K))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*[torch.autograd.grad(loss, logits)[0] for loss in (found, expected)])
    for label in (-1, K):
        with pytest.raises((RuntimeError, IndexError)):
            build(ROWS)(logits, torch.full((B,), label))


def test_matrix_of_a_file(tmp_path):
    np.save(tmp_path / 'matrix.npy', np.array(ROWS))
    assert build(str(tmp_path / 'matrix.npy')).matrix.tolist() == torch.tensor(ROWS).tolist()
    assert build(torch.tensor(ROWS, requires_grad=True)).matrix.tolist() == torch.tensor(ROWS).tolist()
    np.save(tmp_path / 'small.npy', np.eye(3))
    with pytest.raises(ValueError, match=r'transition matrix .*small\.npy is made for 3 classes, got 4'):
        build(str(tmp_path / 'small.npy'))
    with pytest.raises(FileNotFoundError):
        build(str(tmp_path / 'none.npy'))


@pytest.mark.parametrize(
    ('row', 'message'),
    [
        ([0.5, 0.5, 0.5, 0.0], 'row 3 sums to 1.500000, not to 1'),
        ([1.5, -0.5, 0.0, 0.0], 'entry 1.5 in row 3, column 0 is no probability'),
        ([math.nan, 1.0, 0.0, 0.0], 'entry nan in row 3, column 0'),
    ],
)
def test_refused_rows(row, message):
    with pytest.raises(ValueError, match=f'transition matrix array: {message}'):
        build([*ROWS[:3], row])
