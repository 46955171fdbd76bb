# SPDX-License-Identifier: Apache-2.0
"""Momentum contrast and ensembled targets do what their formulas say, and live through a stop."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpretrain.registry import MODELS
from model_workers import build_tcl, make_samples, push_keys
from toy_runs import OOD, build_runner, hook, noisy_digits, tcl

from tcl_plugin.models.algorithms.tcl_moco import FeatureQueue
from tcl_plugin.models.losses import momentum_contrast
from tcl_plugin.models.utils import Mixing

B = 6


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


def unit(rng, *shape):
    return F.normalize(torch.randn(*shape, generator=rng), dim=-1)


# Momentum contrast


def test_momentum_contrast_equals_the_formula(rng):
    queries, keys, negatives = unit(rng, B, 5), unit(rng, B, 5), unit(rng, 9, 5)
    found = momentum_contrast(queries, keys, negatives, 0.2)
    q, k, n = (tensor.double().numpy() for tensor in (queries, keys, negatives))
    terms = []
    for i in range(B):
        positive = np.exp(q[i] @ k[i] / 0.2)
        terms.append(-np.log(positive / (positive + sum(np.exp(q[i] @ other / 0.2) for other in n))))
    assert found.item() == pytest.approx(np.mean(terms), rel=1e-5)


def test_no_gradient_flows_into_keys(rng):
    queries, keys, negatives = (unit(rng, B, 5).requires_grad_() for _ in range(3))
    momentum_contrast(queries, keys, negatives).backward()
    assert queries.grad.abs().sum() > 0 and keys.grad is None and negatives.grad is None


def test_queue_forgets_the_oldest(rng):
    queue, keys = FeatureQueue(5, 4), unit(rng, 7, 4)
    at_first = queue.features.clone()
    queue.push(keys[:3])
    torch.testing.assert_close(queue.features, torch.cat([keys[:3], at_first[3:]]))
    queue.push(keys[3:])  # comes round to the beginning
    torch.testing.assert_close(queue.features, torch.stack([keys[5], keys[6], keys[2], keys[3], keys[4]]))
    with pytest.raises(ValueError, match='a batch has 6 keys, more than the queue of 5: raise queue_size'):
        queue.push(unit(rng, 6, 4))


def test_queue_holds_the_keys_of_all_processes(two_processes, rng):
    keys = unit(rng, 6, 4).numpy()
    for features in two_processes(push_keys, keys):
        np.testing.assert_array_equal(features, keys)


def moco(**changes):
    torch.manual_seed(0)
    return MODELS.build({**tcl(), 'type': 'TCLMoCo', 'momentum': 0.9, 'queue_size': 24, **changes})


def test_contrast_is_against_the_queue(rng):
    model = moco().eval()  # frozen statistics, so that views can go through one by one
    view1, view2 = (torch.randn(B, 3, 8, 8, generator=rng) for _ in range(2))
    negatives = model.queue.features.clone()
    proj = [model.head.project(model.extract_feat(view)) for view in (view1, view2)]
    found = model.contrast(view1, view2)(*proj)
    # At the first step the momentum encoder is the encoder.
    expected = (momentum_contrast(proj[0], proj[1], negatives) + momentum_contrast(proj[1], proj[0], negatives)) / 2
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(model.queue.features[: 2 * B], torch.cat(proj).detach())
    assert torch.equal(model.queue.features[2 * B :], negatives[2 * B :])


def test_key_encoder_follows_slowly(rng):
    model = moco()
    # As weights are loaded that have been trained elsewhere, running statistics with them.
    for module in model.backbone.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.fill_(3)
    model.init_weights()
    views = [torch.randn(B, 3, 8, 8, generator=rng) for _ in range(2)]
    for name, value in model.backbone.state_dict().items():
        assert torch.equal(model.key_encoder.backbone.state_dict()[name], value), name
    before = copy.deepcopy(model.key_encoder.backbone.stem.weight)
    with torch.no_grad():
        model.backbone.stem.weight += 1
    model.contrast(*views)
    torch.testing.assert_close(model.key_encoder.backbone.stem.weight, before + 0.1)
    assert not any(parameter.requires_grad for parameter in model.key_encoder.parameters())


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(momentum=1.0), 'momentum must lie between 0 and 1, got 1.0'),
        (dict(queue_size=0), 'queue_size must be 1 or more, got 0'),
    ],
)
def test_bad_arguments_of_moco(changes, message):
    with pytest.raises(ValueError, match=message):
        moco(**changes)


# Ensembled targets


@pytest.fixture
def ensemble():
    head = build_tcl(type='TCLEnsembleHead', ensemble_momentum=0.6).head
    head.set_sample_state(20)
    return head


def test_targets_are_averages_of_former_epochs(ensemble, rng):
    samples, average, times = make_samples(range(B), first=3), np.zeros((B, 10)), 0
    for _ in range(3):
        logits = tuple(torch.randn(B, 10, generator=rng) for _ in range(2))
        present = np.mean([F.softmax(view, dim=1).numpy() for view in logits], axis=0)
        expected = average / (1 - 0.6**times) if times else present
        for found in ensemble.guess(logits, samples):
            np.testing.assert_allclose(found, expected, rtol=1e-5)
        average, times = 0.6 * average + 0.4 * present, times + 1
    assert ensemble.sample_seen.nonzero().flatten().tolist() == list(range(3, 3 + B))
    assert not ensemble.sample_state[0].any() and not ensemble.sample_state[3 + B :].any()


def test_first_epoch_has_the_present_predictions_and_the_rest_of_the_losses_are_those_of_tcl(ensemble, rng):
    plain = build_tcl().head
    plain.load_state_dict(ensemble.state_dict())
    feats, samples = (torch.randn(5 * B, 16, generator=rng),), make_samples(range(B))
    for head in (plain, ensemble):
        head.set_clean_prob(torch.full((20,), 0.5))
        head.start_epoch(5)
    mixing = Mixing(0.7, torch.arange(3 * B).flip(0))
    found, expected = (head.loss(feats, samples, mixing=mixing) for head in (ensemble, plain))
    for name in ('loss_contrast', 'loss_entropy', 'loss_align_cls', 'loss_align_proto'):
        torch.testing.assert_close(found[name], expected[name])
    assert not torch.isclose(found['loss_cross'], expected['loss_cross'])


def test_no_hook_no_averages(ensemble):
    ensemble.sample_state = None
    with pytest.raises(RuntimeError, match='the hook is missing'):
        ensemble.guess((torch.zeros(B, 10),) * 2, make_samples(range(B)))


@pytest.mark.parametrize('momentum', [-0.1, 1.0])
def test_bad_ensemble_momentum(momentum):
    with pytest.raises(ValueError, match='ensemble_momentum must lie in'):
        build_tcl(type='TCLEnsembleHead', ensemble_momentum=momentum)


# Both in a run that is stopped


VARIANTS = dict(
    moco=dict(tcl(), type='TCLMoCo', momentum=0.9, queue_size=32),
    ensemble=tcl(type='TCLEnsembleHead'),
)


@pytest.mark.parametrize('variant', VARIANTS)
def test_a_checkpoint_holds_all_that_the_run_remembers(variant, tmp_path):
    hooks = [hook(OOD)] + ([dict(type='SampleStateHook')] if variant == 'ensemble' else [])

    def train(**changes):
        runner = build_runner(tmp_path, VARIANTS[variant], noisy_digits(), *hooks, **changes)
        runner.train()
        return runner.model

    stopped = train()
    resumed = train(resume=True)  # all epochs are done: it only takes up what was left
    # Not only what is in both state dicts: a buffer that is left out of them would be new.
    for kind in ('named_parameters', 'named_buffers'):
        expected, found = (dict(getattr(model, kind)()) for model in (stopped, resumed))
        assert expected.keys() == found.keys()
        assert not [name for name, value in expected.items() if not torch.equal(value, found[name])]
    if variant == 'moco':
        assert stopped.queue.oldest == 2 * 41
    else:
        assert torch.equal(stopped.head.sample_state, resumed.head.sample_state)
        assert (stopped.head.sample_state[:, -1] >= 0.4 - 1e-6).all()
