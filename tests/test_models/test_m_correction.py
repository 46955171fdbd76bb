# SPDX-License-Identifier: Apache-2.0
"""M-correction equals its formula, written out in loops; in its warm-up it is mixup."""

import math
from unittest import mock

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from model_workers import make_samples
from toy_runs import classifier, m_correction

from tcl_plugin.models.losses import divergence_from_uniform
from tcl_plugin.models.utils import Mixing
from tcl_plugin.structures import SampleBatch

B, K, N = 6, 10, 9
LABELS = torch.tensor([3, 1, 4, 1, 5, 9])
CLEAN = torch.tensor([0.1, 0.9, 0.5, 1.0, 0.0, 0.3, 0.7, 0.2, 0.8])
IMAGES = torch.randn(B, 3, 8, 8, generator=torch.Generator().manual_seed(0))
MIXING = Mixing(0.8, torch.tensor([2, 3, 5, 0, 1, 4]))


@pytest.fixture
def images():
    return IMAGES.clone()


def build(epoch=1, told=CLEAN, **changes):
    """A model past its warm-up of one epoch, whose predictions differ between images."""
    torch.manual_seed(0)
    model = MODELS.build(m_correction(**changes)).eval()
    torch.nn.init.normal_(model.head.fc.weight, std=300)
    with torch.no_grad():
        model.head.fc.bias -= model(IMAGES).mean(dim=0)
    if told is not None:
        model.head.set_clean_prob(told)
    model.head.start_epoch(epoch)
    return model


def loss_of(model, images, samples):
    with mock.patch('tcl_plugin.models.algorithms.mixup.draw_mixing', return_value=MIXING):
        return model.loss(images, samples)


def log_softmax(logits):
    logits = logits.detach().double().numpy()
    return logits - np.log(np.exp(logits).sum())


def test_loss_in_plain_numbers(images):
    model, first = build(), 2
    with torch.no_grad():
        losses = loss_of(model, images, make_samples(LABELS, first))
    guess = model(images).argmax(dim=1).tolist()
    assert len(set(guess)) > 1 and guess != LABELS.tolist()
    total, mean = 0.0, np.zeros(K)
    for i, j in enumerate(MIXING.partner.tolist()):
        log_p = log_softmax(model((0.8 * images[i] + 0.2 * images[j])[None])[0])
        mean += np.exp(log_p) / B
        for n, share in ((i, 0.8), (j, 0.2)):
            w = float(CLEAN[first + n])
            total -= share * (w * log_p[LABELS[n]] + (1 - w) * log_p[guess[n]]) / B
    assert float(losses['loss']) == pytest.approx(total, rel=1e-4)
    uniform = sum(1 / K * math.log(1 / K / mean[k]) for k in range(K))
    assert float(losses['loss_uniform']) == pytest.approx(uniform, rel=1e-4)
    assert sorted(losses) == ['loss', 'loss_uniform']


def test_predictions_get_no_gradient(images):
    """That of the loss is that of cross-entropy with fixed targets."""
    model = build(uniform_weight=0)
    targets = model.targets(images, make_samples(LABELS))
    assert not targets.requires_grad
    torch.testing.assert_close(targets.sum(dim=1), torch.ones(B))
    loss_of(model, images, make_samples(LABELS))['loss'].backward()
    found = model.head.fc.weight.grad.clone()
    model.zero_grad()
    log_p = model(MIXING(images)).log_softmax(dim=1)
    (-(MIXING(targets) * log_p).sum() / B).backward()
    torch.testing.assert_close(found, model.head.fc.weight.grad)


def test_warmup_is_mixup(images):
    """Whose predictions are not asked for."""
    model = build(epoch=0)
    assert model.head.in_warmup
    found = loss_of(model, images, make_samples(LABELS))
    plain = MODELS.build(classifier(type='MixupClassifier', mixup_alpha=32.0)).eval()
    plain.load_state_dict(model.state_dict())
    assert found == loss_of(plain, images, make_samples(LABELS))


def test_labels_of_a_batch_give_the_loss_of_its_samples(images):
    model = build()
    found = loss_of(model, images, SampleBatch(LABELS, torch.arange(B)))
    assert found == loss_of(model, images, make_samples(LABELS))


def test_uniform_predictions_diverge_from_nothing():
    assert float(divergence_from_uniform(torch.zeros(B, K))) == pytest.approx(0, abs=1e-6)
    # Each sample of one class, and all of them of all.
    assert float(divergence_from_uniform(50 * torch.eye(K))) == pytest.approx(0, abs=1e-6)
    collapsed = torch.zeros(B, K)
    collapsed[:, 0] = 1e4
    collapsed.requires_grad_()
    divergence = divergence_from_uniform(collapsed)
    divergence.backward()
    assert divergence > 10 and collapsed.grad.isfinite().all()


def test_checkpoint_has_no_clean_probabilities():
    model = build()
    assert not [name for name, value in model.state_dict().items() if N in value.shape]


def test_refusals(images):
    with pytest.raises(RuntimeError, match=r"hook is missing\. .*detector=dict\(type='BetaMixtureDetector'\)"):
        loss_of(build(epoch=0, told=None), images, make_samples(LABELS))
    with pytest.raises(ValueError, match='sample_idx 9 lies outside the 9 samples that LabelNoiseHook has seen'):
        loss_of(build(), images, make_samples(LABELS, first=4))
    with pytest.raises(ValueError, match=r'clean_prob must have shape \(N,\), got \(9, 1\)'):
        build(told=CLEAN[:, None])
    with pytest.raises(ValueError, match='uniform_weight must not be negative, got -1'):
        build(uniform_weight=-1)
    with pytest.raises(ValueError, match='MCorrection needs a MCorrectionHead, got LinearClsHead'):
        MODELS.build(classifier(type='MCorrection'))
    with pytest.raises(ValueError, match='warmup_epochs must not be negative, got -1'):
        MODELS.build(dict(type='MCorrectionHead', num_classes=K, in_channels=8, warmup_epochs=-1))
