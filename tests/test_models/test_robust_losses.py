# SPDX-License-Identifier: Apache-2.0
"""GCE and SCE equal their formulas, written out in loops, and are called as mmpretrain calls its losses."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from tcl_plugin.models.losses import GeneralizedCrossEntropyLoss, SymmetricCrossEntropyLoss

B, K = 7, 5
BOTH = [dict(type='GeneralizedCrossEntropyLoss'), dict(type='SymmetricCrossEntropyLoss')]


@pytest.fixture
def logits():
    return 3 * torch.randn(B, K, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=['hard', 'soft'])
def target(request):
    generator = torch.Generator().manual_seed(1)
    if request.param == 'hard':
        return torch.randint(K, (B,), generator=generator)
    return torch.randn(B, K, generator=generator).softmax(dim=1)


def softmax(logits):
    odds = np.exp(logits.detach().double().numpy())
    return odds / odds.sum(axis=1, keepdims=True)


def as_probabilities(target):
    return np.eye(K)[target.numpy()] if target.ndim == 1 else target.double().numpy()


@pytest.mark.parametrize('q', [0.3, 0.7, 1.0])
def test_generalised(logits, target, q):
    p, t = softmax(logits), as_probabilities(target)
    expected = [sum(t[i, k] * (1 - p[i, k] ** q) / q for k in range(K)) for i in range(B)]
    loss = GeneralizedCrossEntropyLoss(q)
    assert loss(logits, target, reduction_override='none').tolist() == pytest.approx(expected, rel=1e-5)
    assert float(loss(logits, target)) == pytest.approx(sum(expected) / B, rel=1e-5)


def test_generalised_at_its_ends(logits):
    target = torch.randint(K, (B,), generator=torch.Generator().manual_seed(1))
    almost = GeneralizedCrossEntropyLoss(q=1e-3)(logits, target)
    assert float(almost) == pytest.approx(float(F.cross_entropy(logits, target)), rel=1e-2)
    absolute = (logits.softmax(dim=1) - F.one_hot(target, K)).abs().sum(dim=1).mean()
    assert float(GeneralizedCrossEntropyLoss(q=1)(logits, target)) == pytest.approx(float(absolute) / 2, rel=1e-5)


@pytest.mark.parametrize(('alpha', 'beta', 'smallest'), [(0.1, 1.0, 1e-4), (6.0, 0.1, math.exp(-6))])
def test_symmetric(logits, target, alpha, beta, smallest):
    p, t = softmax(logits), as_probabilities(target)
    expected = []
    for i in range(B):
        forward = -sum(t[i, k] * math.log(p[i, k]) for k in range(K))
        exchanged = -sum(p[i, k] * math.log(max(t[i, k], smallest)) for k in range(K))
        expected.append(alpha * forward + beta * exchanged)
    loss = SymmetricCrossEntropyLoss(alpha, beta, smallest)
    assert loss(logits, target, reduction_override='none').tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('config', BOTH, ids=lambda config: config['type'])
def test_weights_and_divisors(logits, target, config):
    loss = MODELS.build(dict(config, loss_weight=2.0))
    each = MODELS.build(dict(config, reduction='none'))(logits, target)
    weight = torch.arange(B).float()
    assert each.shape == (B,)
    torch.testing.assert_close(loss(logits, target), 2 * each.mean())
    torch.testing.assert_close(loss(logits, target, avg_factor=3), 2 * each.sum() / 3)
    torch.testing.assert_close(loss(logits, target, weight=weight), 2 * (weight * each).mean())
    torch.testing.assert_close(loss(logits, target, reduction_override='sum'), 2 * each.sum())


@pytest.mark.parametrize('config', BOTH, ids=lambda config: config['type'])
def test_gradient_of_a_probability_that_underflows(config):
    """Neither NaN nor infinite, though the given label has probability 0 in float32."""
    logits = torch.tensor([[0.0, -1e4, 1.0]]).requires_grad_()
    assert logits.softmax(dim=1)[0, 1] == 0
    MODELS.build(config)(logits, torch.tensor([1])).backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize('config', BOTH, ids=lambda config: config['type'])
def test_in_half_precision(logits, target, config):
    found = MODELS.build(config)(logits.bfloat16(), target)
    expected = MODELS.build(config)(logits.bfloat16().float(), target)
    assert found.dtype == torch.float32 and found == expected


@pytest.mark.parametrize('config', BOTH, ids=lambda config: config['type'])
def test_in_a_head(config):
    head = MODELS.build(dict(type='LinearClsHead', num_classes=K, in_channels=8, loss=config))
    feats, labels = (torch.randn(B, 8),), torch.arange(B) % K
    found = head.loss(feats, [DataSample().set_gt_label(int(label)) for label in labels])['loss']
    torch.testing.assert_close(found, head.loss_module(head.fc(feats[0]), labels))
    found.backward()
    assert head.fc.weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    ('config', 'reason'),
    [
        (dict(type='GeneralizedCrossEntropyLoss', q=0), r'q must lie in \(0, 1\], got 0'),
        (dict(type='SymmetricCrossEntropyLoss', beta=-1), 'alpha and beta must not be negative, got 0.1 and -1'),
        (dict(type='SymmetricCrossEntropyLoss', smallest_target=1), r'smallest_target must lie in \(0, 1\), got 1'),
        (dict(type='SymmetricCrossEntropyLoss', reduction='avg'), "reduction must be .* got 'avg'"),
    ],
)
def test_refusals(config, reason):
    with pytest.raises(ValueError, match=reason):
        MODELS.build(config)
