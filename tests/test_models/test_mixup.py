# SPDX-License-Identifier: Apache-2.0
"""Mixup mixes images and labels alike, whatever form a batch has."""

from unittest import mock

import numpy as np
import pytest
import torch
from mmpretrain.registry import MODELS
from model_workers import make_samples
from toy_runs import classifier, tcl

from tcl_plugin.models.utils import Mixing, draw_mixing
from tcl_plugin.structures import SampleBatch

B, K = 6, 10
LABELS = torch.tensor([3, 1, 4, 1, 5, 9])
DRAW = 'tcl_plugin.models.algorithms.mixup.draw_mixing'


@pytest.fixture
def images():
    return torch.randn(B, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def build(**changes):
    torch.manual_seed(0)
    return MODELS.build(classifier(type='MixupClassifier', **changes)).eval()


def test_loss_in_plain_numbers(images):
    """Cross-entropy with both labels, weighted as their images are."""
    model, mixing = build(), Mixing(0.8, torch.tensor([2, 3, 5, 0, 1, 4]))
    with mock.patch(DRAW, return_value=mixing):
        losses = model.loss(images, make_samples(LABELS))
    total = 0.0
    for i, j in enumerate(mixing.partner.tolist()):
        mixed = 0.8 * images[i] + 0.2 * images[j]
        logits = model(mixed[None])[0].detach().double().numpy()
        log_probs = logits - np.log(np.exp(logits).sum())
        total -= (0.8 * log_probs[LABELS[i]] + 0.2 * log_probs[LABELS[j]]) / B
    assert list(losses) == ['loss'] and losses['loss'].item() == pytest.approx(total, rel=1e-5)


def test_a_look_at_predictions_costs_no_gradient(images):
    """In half precision, too, within one context as mmengine's AmpOptimWrapper has it."""
    model = build()
    with torch.autocast('cpu', torch.bfloat16):
        model.predicted_classes(images)
        loss = model.loss(images, make_samples(LABELS))['loss']
    loss.backward()
    assert not [name for name, value in model.named_parameters() if value.grad is None or not value.grad.any()]


def test_one_draw_for_each_batch(images):
    with mock.patch(DRAW, wraps=draw_mixing) as draw:
        build(mixup_alpha=0.3).loss(images, make_samples(LABELS))
    draw.assert_called_once_with(B, 0.3, images.device)


def test_without_mixing_it_is_plain_training(images):
    found = build(mixup_alpha=0).loss(images, make_samples(LABELS))['loss']
    torch.manual_seed(0)
    expected = MODELS.build(classifier()).eval().loss(images, make_samples(LABELS))['loss']
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize('loss', ['CrossEntropyLoss', 'GeneralizedCrossEntropyLoss', 'SymmetricCrossEntropyLoss'])
def test_labels_of_a_batch_give_the_loss_of_its_samples(images, loss):
    model = build(head=dict(type='LinearClsHead', num_classes=K, in_channels=16, loss=dict(type=loss)))
    found = []
    for samples in (SampleBatch(LABELS, torch.arange(B)), make_samples(LABELS)):
        torch.manual_seed(1)
        found.append(model.loss(images, samples)['loss'])
    assert found[0] == found[1]


def test_larger_share_first_changes_no_distribution():
    """Mixing by the larger of lambda and 1 - lambda makes the pairs of the inverse permutation."""
    x, partner = torch.arange(B).double().exp(), torch.tensor([2, 3, 5, 0, 1, 4])
    small, large = Mixing(0.2, partner)(x), Mixing(0.8, partner.argsort())(x)
    torch.testing.assert_close(small.sort().values, large.sort().values)


def test_refusals():
    with pytest.raises(ValueError, match='mixup_alpha must not be negative, got -1'):
        build(mixup_alpha=-1)
    with pytest.raises(ValueError, match='plain loss of ClsHead, such as LinearClsHead, not for TCLHead'):
        build(head=tcl()['head'])
