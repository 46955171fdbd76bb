# SPDX-License-Identifier: Apache-2.0
"""TCL puts the right views through the network, in one process or several, and predicts as any classifier."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from model_workers import build_tcl, fixed_mixing, make_samples, step_of_tcl
from torch import nn
from toy_runs import tcl

from tcl_plugin.models import MultiViewDataPreprocessor
from tcl_plugin.models.algorithms import tcl as algorithm
from tcl_plugin.models.heads import TCLHead
from tcl_plugin.models.utils import Mixing

B = 6


@pytest.fixture
def views():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(B, 3, 8, 8, generator=generator) for _ in range(3)]


@pytest.fixture
def model():
    model = build_tcl()
    generator = torch.Generator().manual_seed(1)
    prototypes = F.normalize(torch.randn(10, 8, generator=generator), dim=1)
    model.head.set_clean_prob(torch.rand(B, generator=generator), prototypes)
    model.head.start_epoch(5)
    return model


SAMPLES = make_samples(range(B))
MIXING = Mixing(0.7, torch.tensor([3, 17, 5, 0, 9, 11, 2, 14, 6, 1, 8, 16, 4, 10, 13, 7, 12, 15]))


def losses_of(model, views):
    with fixed_mixing(MIXING.lam, MIXING.partner):
        return model(views, SAMPLES, mode='loss')


class OwnHead(TCLHead):
    """One that does something with its loss, for all that TCL knows."""

    def loss(self, *args, **kwargs):
        return super().loss(*args, **kwargs)


@pytest.mark.parametrize(
    ('head', 'warned'),
    [
        (dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1)), True),
        (dict(loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1), type=OwnHead), False),
        ({}, False),
    ],
)
def test_a_loss_of_the_head_that_has_no_effect(monkeypatch, head, warned):
    said = []
    monkeypatch.setattr(algorithm, 'print_log', lambda text, **kwargs: said.append(text))
    MODELS.build(tcl(**head))
    assert [line.startswith('TCL has losses of its own, and model.head.loss has no effect') for line in said] == (
        [True] * warned
    )


@pytest.mark.parametrize('forward_weak', [False, True])
def test_step_equals_its_parts(model, views, forward_weak):
    """Each batch of views put through the network by itself, which frozen statistics allow."""
    model.forward_weak = forward_weak
    found = losses_of(model, views)
    mixed = MIXING(torch.cat(views))
    parts = [model.extract_feat(images) for images in (views[1], views[2], mixed)]
    logits, projections = [model.head(part) for part in parts], [model.head.project(part) for part in parts]
    targets = model.head.targets(logits[:2], SAMPLES)
    expected = model.head.loss_from_outputs(logits[:2], logits[2], projections[:2], projections[2], targets, MIXING)
    assert set(found) == set(expected)
    for name, loss in expected.items():
        torch.testing.assert_close(found[name], loss, rtol=1e-4, atol=1e-5)


def test_weak_views_take_part_in_batch_statistics(model, views):
    """In the backbone and, with a backbone that stays as it is, in the head."""
    in_head = [part for part in model.head.modules() if isinstance(part, nn.BatchNorm1d)]
    assert len(in_head) == 4
    for norms in ([model.backbone.stem_norm], in_head):
        means = []
        for model.forward_weak in (False, True):
            model.eval()
            for norm in norms:
                norm.reset_running_stats()
                norm.train()
            losses_of(model, views)
            means.append([norm.running_mean.clone() for norm in norms])
        assert not any(torch.allclose(*pair) for pair in zip(*means, strict=True))


def test_alpha_of_zero_leaves_views_unmixed(model, views):
    model.mixup_alpha = 0.0
    found = model(views, SAMPLES, mode='loss')
    with fixed_mixing(1.0, torch.arange(3 * B)):
        expected = model(views, SAMPLES, mode='loss')
    assert found['loss_align_cls'] == expected['loss_align_cls']


def test_two_processes_equal_one(two_processes, views, model):
    """Losses and averaged gradients of the whole model under DDP.

    Partners are drawn within a process, so the one process is given the pairs of both.
    """
    views, own_size = torch.stack(views).numpy(), B // 2
    rng = np.random.RandomState(0)
    partner = np.stack([rng.permutation(3 * own_size) for _ in range(2)])
    everyone = np.empty(3 * B, dtype=np.int64)
    for rank in range(2):
        view, image = np.divmod(np.arange(3 * own_size), own_size)
        position = view * B + rank * own_size + image
        everyone[position] = position[partner[rank]]

    state = [tensor.numpy() for tensor in (model.head.clean_prob, model.head.prototypes)]
    common = (views, np.array([3, 3, 0, 9, 5, 1]), *state, 0.7)
    losses, gradients = step_of_tcl(0, *common, everyone[None], world_size=1)
    shares = two_processes(step_of_tcl, *common, partner)

    for name, loss in losses.items():
        assert np.mean([share[0][name] for share in shares]) == pytest.approx(loss, rel=1e-5), name
    for name, gradient in gradients.items():
        for _, averaged in shares:
            np.testing.assert_allclose(averaged[name], gradient, rtol=1e-4, atol=1e-5, err_msg=name)
    assert all(np.abs(gradient).max() > 1e-3 for gradient in gradients.values())


def test_losses_are_float32_under_half_precision(model, views):
    exact = losses_of(model, views)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = losses_of(model, views)
        assert model.head(model.extract_feat(views[1])).dtype == torch.bfloat16
        assert model.head.project(model.extract_feat(views[1])).dtype == torch.float32
    for name, loss in losses.items():
        assert loss.dtype == torch.float32
        torch.testing.assert_close(loss, exact[name], rtol=0.03, atol=0.03)
    sum(losses.values()).backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_train_step_learns(views):
    """From images to a step of the optimiser, by mmengine's own road."""
    model = build_tcl(warmup_epochs=0).train()
    model.head.set_clean_prob(torch.ones(B), F.normalize(torch.randn(10, 8), dim=1))
    optim_wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.05))
    images = [(60 * view + 127).clamp(0, 255).byte() for view in views]
    torch.manual_seed(0)
    history = [
        model.train_step(dict(inputs=images, data_samples=SAMPLES), optim_wrapper)['loss'].item() for _ in range(12)
    ]
    assert np.mean(history[-3:]) < np.mean(history[:3])


def test_predicts_as_any_classifier(model, views):
    model.eval()
    logits = model(views[0], mode='tensor')
    samples = model(views[0], [DataSample() for _ in range(B)], mode='predict')
    torch.testing.assert_close(torch.stack([sample.pred_score for sample in samples]), logits.softmax(dim=1))
    assert isinstance(model.data_preprocessor, MultiViewDataPreprocessor)


@pytest.mark.parametrize(('number', 'got'), [(1, r'\(6, 3, 8, 8\)'), (2, '2 views'), (4, '4 views')])
def test_wrong_number_of_views(model, views, number, got):
    inputs = views[0] if number == 1 else [views[0]] * number
    with pytest.raises(ValueError, match=rf"TCL trains on three views .*got {got}.*type='MultiView'"):
        model(inputs, SAMPLES, mode='loss')


def test_feature_maps_without_a_neck(views):
    model = MODELS.build(tcl() | dict(neck=None))
    model.head.set_clean_prob(torch.ones(B))
    with pytest.raises(ValueError, match=r"add neck=dict\(type='GlobalAveragePooling'\)"):
        model(views, SAMPLES, mode='loss')


def test_bad_mixup_alpha():
    with pytest.raises(ValueError, match='mixup_alpha must not be negative, got -1'):
        MODELS.build(tcl() | dict(mixup_alpha=-1))
