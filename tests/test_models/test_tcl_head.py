# SPDX-License-Identifier: Apache-2.0
"""The head computes the published losses, from the right targets, with the weights that it was given."""

import re

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from model_workers import make_samples

from tcl_plugin.models.losses import correct_labels, entropy_regularization, info_nce
from tcl_plugin.models.utils import Mixing
from tcl_plugin.structures import SampleBatch

B, K, D = 8, 10, 16
TERMS = ('cross', 'contrast', 'entropy', 'align_cls', 'align_proto')


def build_head(**kwargs):
    """A head past its warm-up."""
    head = MODELS.build(dict(type='TCLHead', **(dict(num_classes=K, in_channels=4, feat_dim=D) | kwargs)))
    head.start_epoch(head.warmup_epochs)
    return head


@pytest.fixture(scope='module')
def outputs(reference):
    """What the head takes its losses of."""
    return dict(
        logits_strong=(reference['logits_view1'], reference['logits_view2']),
        logits_mix=reference['logits_mix'],
        proj_strong=(reference['z1'], reference['z2']),
        proj_mix=reference['features_mix'],
        mixing=Mixing(reference['mix_lam'], reference['mix_perm']),
    )


def losses_of(head, reference, outputs):
    head.set_clean_prob(reference['label_confidence'], reference['prototypes'])
    samples = SampleBatch(reference['labels'][reference['indices']], reference['indices'])
    return head.loss_from_outputs(**outputs, targets=head.targets(outputs['logits_strong'], samples))


def assert_published(found, published):
    torch.testing.assert_close(found.double(), published.double(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('scales', [(1.0, 1.0), (0.37, 0.37), (0.37, 1.0)])
@pytest.mark.parametrize('warmup', [0, 1])
def test_losses_are_the_published_ones(reference, outputs, warmup, scales):
    head = build_head(scale_cross=scales[0], scale_mix=scales[1])
    head.start_epoch(head.warmup_epochs - warmup)
    losses = losses_of(head, reference, outputs)
    found = torch.stack([losses['loss_cross'], losses['loss_align_cls'], losses['loss_align_proto']])
    assert_published(found, reference[f'loss_warm{warmup}_s{scales[0]}_{scales[1]}'])
    assert_published(losses['loss_contrast'], reference['contrastive'])
    assert_published(losses['loss_entropy'], reference['entropy_reg'].sum())


def test_one_lambda_for_the_batch_is_the_published_mixing(reference, outputs):
    """As TCL draws it: the published numbers have one, too, beside every sample."""
    lam = reference['mix_lam'].unique()
    assert lam.numel() == 1
    head = build_head(scale_cross=1.0, scale_mix=1.0)
    losses = losses_of(head, reference, outputs | dict(mixing=Mixing(lam.item(), reference['mix_perm'])))
    assert_published(losses['loss_align_cls'], reference['loss_warm0_s1.0_1.0'][1])


def test_published_terms_one_by_one(reference):
    logits = torch.cat([reference[f'logits_{name}'] for name in ('view1', 'view2', 'mix')])
    assert_published(torch.stack(entropy_regularization(logits)), reference['entropy_reg'])
    temperature = float(reference['temperature'])
    assert_published(info_nce(reference['z1'], reference['z2'], temperature), reference['contrastive'])


def test_scales_default_to_the_share_of_clean_labels(reference, outputs):
    share = (reference['label_confidence'] > 0.5).double().mean().item()
    assert 0.1 < share < 0.9
    found = losses_of(build_head(), reference, outputs)
    expected = losses_of(build_head(scale_cross=share, scale_mix=share), reference, outputs)
    for name, loss in expected.items():
        torch.testing.assert_close(found[name], loss)
    assert found['loss_cross'] != losses_of(build_head(scale_cross=1.0), reference, outputs)['loss_cross']


def test_a_label_in_balance_is_not_clean():
    head = build_head()
    head.set_clean_prob(torch.tensor([0.5, 0.7, 0.2, 0.5]))
    assert head.clean_share == 0.25


def test_warmup_ends_after_its_epochs():
    head = build_head(warmup_epochs=2)
    states = []
    for epoch in range(4):
        head.start_epoch(epoch)
        states.append(head.in_warmup)
    assert states == [True, True, False, False]


def test_weights_and_temperatures(reference, outputs):
    plain = losses_of(build_head(), reference, outputs)
    for i, term in enumerate(TERMS):
        weighted = losses_of(build_head(**{f'{term}_weight': 3.0 + i}), reference, outputs)
        assert set(weighted) == {f'loss_{name}' for name in TERMS}
        for name, loss in weighted.items():
            factor = 3.0 + i if name == f'loss_{term}' else 1.0
            torch.testing.assert_close(loss, factor * plain[name])
    # 0.25 is the temperature of both; of one alone:
    assert_changes(plain, losses_of(build_head(proto_temperature=0.5), reference, outputs), {'loss_align_proto'})
    only_contrast = build_head(temperature=0.5, proto_temperature=0.25)
    assert_changes(plain, losses_of(only_contrast, reference, outputs), {'loss_contrast'})
    both = losses_of(build_head(temperature=0.5), reference, outputs)
    assert_changes(plain, both, {'loss_contrast', 'loss_align_proto'})


def assert_changes(before, after, names):
    assert {name for name in before if not torch.allclose(before[name], after[name])} == names


def test_targets_pass_no_gradient(reference, outputs):
    """The gradient of the cross-supervision is that of targets which are mere numbers."""
    logits1, logits2 = (logits.clone().requires_grad_() for logits in outputs['logits_strong'])
    losses = losses_of(build_head(scale_cross=1.0), reference, outputs | dict(logits_strong=(logits1, logits2)))
    losses['loss_cross'].backward()
    for own, other in ((logits1, logits2), (logits2, logits1)):
        labels, trust = (reference[name][reference['indices']] for name in ('labels', 'label_confidence'))
        trust = trust[:, None]
        target = trust * F.one_hot(labels, K) + (1 - trust) * other.detach().softmax(dim=1)
        torch.testing.assert_close(own.grad, (own.detach().softmax(dim=1) - target) / B)


def test_aligned_targets_pass_no_gradient(reference, outputs):
    strong = [logits.clone().requires_grad_() for logits in outputs['logits_strong']]
    mix, projections = (outputs[name].clone().requires_grad_() for name in ('logits_mix', 'proj_mix'))
    changes = dict(logits_strong=strong, logits_mix=mix, proj_mix=projections)
    losses = losses_of(build_head(), reference, outputs | changes)
    (losses['loss_align_cls'] + losses['loss_align_proto']).backward()
    assert all(logits.grad is None for logits in strong)
    assert mix.grad.abs().sum() > 0 and projections.grad.abs().sum() > 0


def test_each_sample_meets_its_own_clean_probability():
    """By index, not by position; shown by targets that only one of them explains."""
    head = build_head(scale_cross=1.0).eval()
    clean_prob = torch.linspace(0, 1, 50)
    head.set_clean_prob(clean_prob, F.normalize(torch.randn(K, D), dim=1))
    labels, index = torch.tensor([3, 0, 7, 9]), torch.tensor([49, 3, 20, 0])
    samples = [
        DataSample(metainfo=dict(sample_idx=int(i))).set_gt_label(int(y)) for i, y in zip(index, labels, strict=True)
    ]
    feats = (torch.randn(20, 4),)
    mixing = Mixing(0.8, torch.randperm(12))
    found = head.loss(feats, samples, mixing)
    logits, projections = head(feats), head.project(feats)
    first, second = logits[:4].softmax(dim=1), logits[4:8].softmax(dim=1)
    targets = [correct_labels(labels, clean_prob[index], guess) for guess in (second, first)]
    targets.append(correct_labels(labels, clean_prob[index], (first + second) / 2, scale=head.clean_share))
    expected = head.loss_from_outputs(
        (logits[:4], logits[4:8]), logits[8:], (projections[:4], projections[4:8]), projections[8:], targets, mixing
    )
    for name, loss in expected.items():
        torch.testing.assert_close(found[name], loss)


def test_outputs():
    head = build_head().eval()
    assert head.clean_share == 1 and head.prototypes.shape == (K, D)
    feats = (torch.zeros(1), torch.randn(5, 4))
    assert torch.equal(head.pre_logits(feats), feats[1])
    torch.testing.assert_close(head(feats), head.classifier(feats[1]))
    projections = head.project(feats)
    assert projections.shape == (5, D)
    torch.testing.assert_close(projections.norm(dim=1), torch.ones(5))
    found = head.predict(feats, make_samples([0] * 5))
    assert [int(sample.pred_label) for sample in found] == head(feats).argmax(dim=1).tolist()


@pytest.mark.parametrize(
    ('shape', 'neck'),
    [
        ((2, 7, 4), "dict(type='TokenPooling')"),
        ((2, 4, 7), "dict(type='GlobalAveragePooling', dim=1)"),
        ((2, 4, 3, 3), "dict(type='GlobalAveragePooling')"),
    ],
)
def test_features_that_are_no_vectors(shape, neck):
    """The neck that is named makes vectors of them."""
    feats = (torch.zeros(shape),)
    with pytest.raises(ValueError, match=re.escape(f'{shape}: add neck={neck} to the model')):
        build_head().pre_logits(feats)
    pooled = MODELS.build(Config.fromstring(f'neck = {neck}', '.py').neck)(feats)
    assert build_head().pre_logits(pooled).shape == (2, 4)


@pytest.mark.parametrize('shape', [(2, 4, 4), (2, 5, 7)])
def test_features_that_may_be_either(shape):
    with pytest.raises(
        ValueError, match=r"add neck=dict\(type='TokenPooling'\) .* or neck=.* dim=1\) .* to the model"
    ):
        build_head().pre_logits((torch.zeros(shape),))


def test_features_that_are_several_tensors():
    """As those of a distilled transformer: class token and distillation token."""
    pair = (torch.zeros(2, 4), torch.zeros(2, 4))
    with pytest.raises(ValueError, match='got a tuple of 2 from the last stage: choose a backbone'):
        build_head().pre_logits((pair,))


def test_layers_are_as_wide_as_asked():
    layers = [tuple(m.weight.shape) for m in build_head(hid_channels=6).modules() if isinstance(m, torch.nn.Linear)]
    assert layers == [(6, 4), (K, 6), (6, 4), (D, 6)]


def test_clean_prob_is_kept_but_not_saved(reference):
    head = build_head()
    head.set_clean_prob(reference['label_confidence'].double(), reference['prototypes'])
    assert head.clean_prob.dtype == torch.float32
    torch.testing.assert_close(head.clean_prob, reference['label_confidence'])
    torch.testing.assert_close(head.prototypes, reference['prototypes'])
    # Prototypes that a detector does not make stay as they are.
    head.set_clean_prob(torch.rand(3))
    torch.testing.assert_close(head.prototypes, reference['prototypes'])
    state = head.state_dict()
    assert 'prototypes' in state and not [name for name in state if 'clean' in name]


def test_missing_hook():
    with pytest.raises(RuntimeError, match=r'the hook is missing\. Add\s+custom_hooks = .*LabelNoiseHook'):
        build_head().loss((torch.randn(10, 4),), make_samples([0, 1]), Mixing(1.0, torch.arange(6)))


@pytest.mark.parametrize('first', [-1, 6])
def test_sample_outside_the_table(first):
    head = build_head()
    head.set_clean_prob(torch.rand(7))
    outside = first if first < 0 else 7
    with pytest.raises(ValueError, match=f'sample_idx {outside} lies outside the 7 samples'):
        head.loss((torch.randn(10, 4),), make_samples([0, 1], first), Mixing(1.0, torch.arange(6)))


@pytest.mark.parametrize(
    ('clean_prob', 'prototypes', 'reason'),
    [
        (torch.ones(5, 1), None, r'clean_prob must have shape \(N,\), got \(5, 1\)'),
        (torch.ones(5), torch.ones(K, D + 1), r'prototypes must have shape \(10, 16\), got \(10, 17\)'),
    ],
)
def test_clean_prob_of_wrong_shape(clean_prob, prototypes, reason):
    with pytest.raises(ValueError, match=reason):
        build_head().set_clean_prob(clean_prob, prototypes)


def test_feature_maps():
    with pytest.raises(ValueError, match=r'features of shape \(2, 4, 3, 3\): add neck=.*GlobalAveragePooling'):
        build_head()((torch.randn(2, 4, 3, 3),))


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        (dict(temperature=0), 'temperatures must be positive'),
        (dict(proto_temperature=-0.1), 'temperatures must be positive'),
        (dict(scale_cross=1.1), r'scale_cross must be None or lie in \[0, 1\], got 1\.1'),
        (dict(scale_mix=-0.1), r'scale_mix must be None or lie in \[0, 1\], got -0\.1'),
    ],
)
def test_bad_options(changes, reason):
    with pytest.raises(ValueError, match=reason):
        build_head(**changes)
