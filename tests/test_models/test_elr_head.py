# SPDX-License-Identifier: Apache-2.0
"""Early-learning regularisation equals its formulas, written out in loops; its gradient too."""

import math

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from model_workers import make_samples

from tcl_plugin.structures import SampleBatch

N, B, K, D = 9, 4, 5, 8
BETA, LAM = 0.7, 3.0


def build(**kwargs):
    torch.manual_seed(0)
    head = MODELS.build(dict(type='ELRHead', num_classes=K, in_channels=D, beta=BETA, lam=LAM) | kwargs)
    torch.nn.init.normal_(head.fc.weight)
    return head


@pytest.fixture
def head():
    head = build()
    head.set_sample_state(N)
    return head


def draw(seed):
    generator = torch.Generator().manual_seed(seed)
    index = torch.randperm(N, generator=generator)[:B]
    return torch.randn(B, D, generator=generator), torch.randint(K, (B,), generator=generator), index


def softmax(logits):
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True)


def test_three_steps_in_plain_numbers(head):
    """Samples are met again, and keep what they were; the others stay at zero."""
    table = np.zeros((N, K))
    for seed in range(3):
        feats, labels, index = draw(seed)
        with torch.no_grad():
            losses = head.loss((feats,), SampleBatch(labels, index))
        p = softmax(head.fc(feats).detach().double().numpy())
        ce = elr = 0.0
        for i in range(B):
            clamped = [min(max(p[i, k], 1e-4), 1 - 1e-4) for k in range(K)]
            for k in range(K):
                table[index[i], k] = BETA * table[index[i], k] + (1 - BETA) * clamped[k] / sum(clamped)
            ce -= math.log(p[i, labels[i]]) / B
            elr += LAM * math.log(1 - sum(table[index[i], k] * clamped[k] for k in range(K))) / B
        assert float(losses['loss_ce']) == pytest.approx(ce, rel=1e-4)
        assert float(losses['loss_elr']) == pytest.approx(elr, rel=1e-4)
        np.testing.assert_allclose(head.sample_state, table, atol=1e-6)
        np.testing.assert_array_equal(head.sample_seen, table.any(axis=1))
    assert 0 < table.any(axis=1).sum() < N


def test_gradient_by_hand(head):
    """No gradient flows into the averages, nor through a probability that is kept away from 0 or 1."""
    feats, labels, index = draw(0)
    logits = head.fc(feats).detach()
    logits[0, 1] = -20.0
    logits.requires_grad_()
    sum(head._get_loss(logits, SampleBatch(labels, index)).values()).backward()
    p, t = softmax(logits.detach().double().numpy()), head.sample_state.double().numpy()[index]
    inside = (p > 1e-4) & (p < 1 - 1e-4)
    assert not inside.all() and inside.any(axis=1).all()
    for i in range(B):
        # d log(1 - <t, p>) / dp, and then the derivative of the softmax
        slope = -LAM * t[i] * inside[i] / (1 - t[i] @ p[i].clip(1e-4, 1 - 1e-4))
        expected = p[i] - np.eye(K)[labels[i]] + p[i] * (slope - slope @ p[i])
        np.testing.assert_allclose(logits.grad[i], expected / B, rtol=1e-4, atol=1e-6)


def test_data_samples_or_tensors(head):
    """A list of data samples, and a batch of the fast path through the classifier."""
    feats, labels, _ = draw(0)
    expected = head.loss((feats,), make_samples(labels, first=2))
    table = head.sample_state.clone()
    head.set_sample_state(N)
    found = head.loss((feats,), SampleBatch(labels, torch.arange(2, 2 + B)))
    assert found == expected and torch.equal(head.sample_state, table)


def test_in_the_fast_classifier():
    """Which would otherwise hand a head of ``ClsHead`` the labels without their indices."""
    config = dict(
        type='FastImageClassifier',
        backbone=dict(type='PreActResNet', depth=18, base_channels=8),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='ELRHead', num_classes=K, in_channels=64),
    )
    model = MODELS.build(config)
    model.head.set_sample_state(N)
    index = torch.tensor([7, 0, 3, 5])
    losses = model.loss(torch.randn(B, 3, 8, 8), SampleBatch(torch.arange(B), index))
    assert sorted(losses) == ['loss_ce', 'loss_elr']
    assert model.head.sample_seen.nonzero().flatten().tolist() == [0, 3, 5, 7]


def test_checkpoint_has_no_table(head):
    assert sorted(head.state_dict()) == ['fc.bias', 'fc.weight']
    other = build()
    other.load_state_dict(head.state_dict())
    assert other.sample_state is None


def test_a_table_is_taken_over():
    head, table = build(), torch.rand(N, K)
    head.set_sample_state(N, table)
    assert torch.equal(head.sample_state, table) and not head.sample_seen.any()


def test_refusals(head):
    feats, labels, _ = draw(0)
    with pytest.raises(RuntimeError, match=r"hook is missing.*dict\(type='SampleStateHook'\)"):
        build().loss((feats,), make_samples(labels))
    with pytest.raises(ValueError, match='sample_idx 9 lies outside the 9 samples that SampleStateHook has seen'):
        head.loss((feats,), make_samples(labels, first=6))
    with pytest.raises(ValueError, match=r'must have shape \(4, 5\), for 4 samples .*, got \(9, 5\)'):
        head.set_sample_state(4, torch.zeros(N, K))
    with pytest.raises(ValueError, match=r'beta must lie in \[0, 1\), got 1'):
        build(beta=1)
    with pytest.raises(ValueError, match='lam must not be negative, got -1'):
        build(lam=-1)
