# SPDX-License-Identifier: Apache-2.0
"""PENCIL equals its formulas, written out in loops, in each of its phases; its labels follow their gradient."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpretrain.registry import MODELS

from tcl_plugin.structures import SampleBatch

N, B, K, D = 9, 4, 5, 8
ALPHA, BETA, RATE = 0.4, 0.1, 30.0
PHASES = dict(warmup_epochs=1, correction_epochs=2)


def build(**kwargs):
    torch.manual_seed(0)
    options = PHASES | dict(num_classes=K, alpha=ALPHA, beta=BETA, label_lr=RATE) | kwargs
    head = MODELS.build(dict(type='PENCILHead', in_channels=D, **options))
    torch.nn.init.normal_(head.fc.weight)
    head.set_sample_state(N)
    return head


def draw(seed):
    generator = torch.Generator().manual_seed(seed)
    # The given label belongs to the sample, not to the step.
    index = torch.randperm(N, generator=generator)[:B]
    return torch.randn(B, D, generator=generator), index % K, index


def softmax(row):
    odds = [math.exp(value) for value in row]
    return [value / sum(odds) for value in odds]


def step(head, seed):
    feats, labels, index = draw(seed)
    losses = head.loss((feats,), SampleBatch(labels, index))
    return losses, [softmax(row) for row in head.fc(feats).detach().double().tolist()], labels.tolist(), index.tolist()


def slope_of_labels(d, p, y, double_softmax):
    """Derivative of the bracket by the label's logits, by way of the derivative of the softmax."""
    if double_softmax:
        by_d = [softmax(d)[k] - (k == y) for k in range(K)]
    else:
        by_d = [-(k == y) / d[k] for k in range(K)]
    by_d = [ALPHA * by_d[k] - p[k] / d[k] / K for k in range(K)]
    return [d[k] * (by_d[k] - sum(d[j] * by_d[j] for j in range(K))) for k in range(K)]


@pytest.mark.parametrize('double_softmax', [True, False])
def test_all_phases_in_plain_numbers(double_softmax):
    head = build(double_softmax=double_softmax)
    logits = [[10.0 * (k == i % K) for k in range(K)] for i in range(N)]
    for epoch in range(5):
        head.start_epoch(epoch)
        losses, p, labels, index = step(head, epoch)
        if epoch < 1:
            assert list(losses) == ['loss_ce']
            assert float(losses['loss_ce'].detach()) == pytest.approx(
                -sum(math.log(p[i][labels[i]]) for i in range(B)) / B
            )
            continue
        d = [softmax(logits[i]) for i in index]
        kl = sum(p[i][k] * math.log(p[i][k] / d[i][k]) for i in range(B) for k in range(K)) / (B * K)
        assert float(losses['loss_kl'].detach()) == pytest.approx(kl, rel=1e-4)
        assert ('loss_entropy' in losses) == (epoch < 3)
        if epoch < 3:
            entropy = -sum(value * math.log(value) for row in p for value in row) / (B * K)
            assert float(losses['loss_entropy'].detach()) == pytest.approx(BETA * entropy, rel=1e-4)
            for i in range(B):
                slope = slope_of_labels(d[i], p[i], labels[i], double_softmax)
                logits[index[i]] = [value - RATE * slope[k] for k, value in enumerate(logits[index[i]])]
        start = 10 * np.eye(K)[np.arange(N) % K]
        np.testing.assert_allclose(head.sample_state, np.array(logits) - start, rtol=1e-3, atol=1e-4)
    assert head.sample_state.abs().sum() > 0


def test_weights_follow_the_gradient_of_the_formula():
    """No gradient flows into the labels; all of the loss depends on the prediction."""
    head = build()
    head.start_epoch(1)
    feats, labels, index = draw(0)
    logits = head.fc(feats).detach().requires_grad_()
    sum(head._get_loss(logits, SampleBatch(labels, index)).values()).backward()
    p = logits.detach().double().softmax(1)
    log_d = (10 * torch.eye(K, dtype=torch.float64)[labels]).log_softmax(1)
    inner = (1 - BETA) * (p.log() + 1) - log_d
    expected = p * (inner - (p * inner).sum(1, keepdim=True)) / (B * K)
    torch.testing.assert_close(logits.grad.double(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ('num_classes', 'alpha', 'rate', 'rest'),
    [(10, 0.4, 600 / 128, 0.73), (10, 0.1, 600 / 128, 0.08), (10, 0.1, 1200 / 128, 0.08), (100, 0.4, 600 / 128, 0.97)],
    ids=['published', 'ten-classes', 'digits', 'published-hundred'],
)
def test_where_labels_come_to_rest(num_classes, alpha, rate, rest):
    """With a network that is certain of another class: not by chance, for it stays there."""
    head = build(num_classes=num_classes, alpha=alpha, label_lr=rate)
    rows, labels = torch.tensor([2, 5]), torch.tensor([2, 0])
    # The second is predicted as its given label, and stays.
    probs = F.one_hot(torch.tensor([4, 0]), num_classes).float()
    kept = []
    for _ in range(600):
        distributions = head.log_distributions(rows, labels).exp()
        head.correct(rows, labels, probs, distributions)
        kept.append(distributions[[0, 1], labels])
    for last in kept[-20:]:
        assert last.tolist() == pytest.approx([rest, 1.0], abs=0.02)


def test_a_sample_that_is_drawn_twice_takes_both_steps():
    labels, probs = (
        torch.tensor([0, 0, 1]),
        torch.tensor([[0.1, 0.9, 0, 0, 0], [0.2, 0, 0.8, 0, 0], [0, 1.0, 0, 0, 0]]),
    )
    once, twice = build(), build()
    distributions = once.log_distributions(torch.tensor([0, 0, 1]), labels).exp()
    twice.correct(torch.tensor([0, 0, 1]), labels, probs, distributions)
    for i in range(3):
        once.correct(torch.tensor([i // 2]), labels[i : i + 1], probs[i : i + 1], distributions[i : i + 1])
    torch.testing.assert_close(twice.sample_state, once.sample_state)


def test_refuses_negative_numbers():
    for name in ('warmup_epochs', 'correction_epochs', 'alpha', 'beta', 'label_lr'):
        with pytest.raises(ValueError, match=f'{name} must not be negative, got -1'):
            build(**{name: -1})


def test_misses_its_hook_at_once():
    head = MODELS.build(dict(type='PENCILHead', num_classes=K, in_channels=D))
    feats, labels, index = draw(0)
    with pytest.raises(RuntimeError, match=r"PENCILHead has no table of samples.*dict\(type='SampleStateHook'\)"):
        head.loss((feats,), SampleBatch(labels, index))
