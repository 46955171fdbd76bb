# SPDX-License-Identifier: Apache-2.0
"""Each term of the losses equals its formula, written out in loops, and sends gradients only where it should."""

import math

import pytest
import torch
import torch.nn.functional as F
from model_workers import shared_terms

from tcl_plugin.models.losses import correct_labels, entropy_regularization, info_nce, soft_cross_entropy

B, K, D = 6, 4, 5


@pytest.fixture
def draw():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator)


def entropy(probs):
    return -sum(p * math.log(p) for p in probs if p > 0)


@pytest.mark.parametrize('temperature', [0.25, 1.0])
def test_info_nce(draw, temperature):
    z1, z2 = F.normalize(draw(B, D), dim=1), F.normalize(draw(B, D), dim=1)
    z, total = torch.cat([z1, z2]).tolist(), 0.0
    for a in range(2 * B):
        odds = [math.exp(sum(p * q for p, q in zip(z[a], z[b], strict=True)) / temperature) for b in range(2 * B)]
        total -= math.log(odds[(a + B) % (2 * B)] / (sum(odds) - odds[a]))
    assert float(info_nce(z1, z2, temperature)) == pytest.approx(total / (2 * B), rel=1e-5)


def test_soft_cross_entropy(draw):
    logits, targets = draw(B, K), draw(B, K).softmax(dim=1)
    probs = logits.softmax(dim=1)
    total = -sum(float(targets[i, k]) * math.log(float(probs[i, k])) for i in range(B) for k in range(K))
    assert float(soft_cross_entropy(logits, targets)) == pytest.approx(total / B, rel=1e-5)


def test_entropy_regularization(draw):
    logits = 3 * draw(B, K)
    probs = logits.softmax(dim=1).tolist()
    confident, spread = entropy_regularization(logits)
    assert float(confident) == pytest.approx(sum(entropy(p) for p in probs) / B, rel=1e-5)
    mean = [sum(p[k] for p in probs) / B for k in range(K)]
    assert float(spread) == pytest.approx(-entropy(mean), rel=1e-5)


def test_entropy_of_a_class_that_underflows(draw):
    """A class of probability 0 in float32 adds nothing to the entropy, and no NaN to the gradient."""
    three = draw(B, 3)
    logits = torch.cat([three, torch.full((B, 1), -1e4)], dim=1).requires_grad_()
    assert logits.softmax(dim=1)[:, 3].max() == 0
    terms = entropy_regularization(logits)
    torch.testing.assert_close(torch.stack(terms), torch.stack(entropy_regularization(three)))
    sum(terms).backward()
    assert logits.grad.isfinite().all() and logits.grad[:, :3].abs().min() > 0


def test_correct_labels(draw):
    labels, clean_prob = torch.tensor([0, 3, 1, 1, 2, 0]), torch.rand(B)
    prediction = draw(B, K).softmax(dim=1)
    targets = correct_labels(labels, clean_prob, prediction, scale=0.6)
    for i in range(B):
        trust = 0.6 * float(clean_prob[i])
        for k in range(K):
            expected = trust * (k == int(labels[i])) + (1 - trust) * float(prediction[i, k])
            assert float(targets[i, k]) == pytest.approx(expected, abs=1e-6)
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(B))


def test_targets_pass_no_gradient(draw):
    logits, other = draw(B, K).requires_grad_(), draw(B, K).requires_grad_()
    prediction = other.softmax(dim=1)
    assert not correct_labels(torch.zeros(B, dtype=torch.long), torch.full((B,), 0.5), prediction).requires_grad
    soft_cross_entropy(logits, prediction).backward()
    assert other.grad is None
    # that of cross-entropy: predicted minus wanted
    torch.testing.assert_close(logits.grad, (logits.softmax(dim=1) - prediction).detach() / B)


def test_two_processes_equal_one(two_processes, draw):
    """Contrast, entropy and regulariser look at the batches of all processes; DDP then averages their gradients."""
    z1, z2, logits = F.normalize(draw(B, D), dim=1), F.normalize(draw(B, D), dim=1), 2 * draw(B, K)
    arrays = [tensor.numpy() for tensor in (z1, z2, logits)]
    terms, gradients = shared_terms(0, *arrays, world_size=1)
    shares = two_processes(shared_terms, *arrays)
    averaged = sum(torch.tensor(share[0]) for share in shares) / 2
    torch.testing.assert_close(averaged, torch.tensor(terms), rtol=1e-5, atol=1e-6)
    for whole, *parts in zip(gradients, *(share[1] for share in shares), strict=True):
        found = torch.cat([torch.from_numpy(part) for part in parts]) / 2
        torch.testing.assert_close(found, torch.from_numpy(whole), rtol=1e-5, atol=1e-6)
