# SPDX-License-Identifier: Apache-2.0
"""Half precision and compiling change the speed of backbone and neck, and next to nothing else."""

import pytest
import torch
from mmpretrain.models import ImageClassifier
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from toy_runs import classifier

from tcl_plugin.models.algorithms import fast_classifier
from tcl_plugin.structures import SampleBatch


@pytest.fixture
def images():
    return torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def build(**kwargs):
    torch.manual_seed(0)
    return MODELS.build(classifier(type='FastImageClassifier', **kwargs)).eval()


def test_without_arguments_it_is_an_image_classifier(images):
    fast = build()
    plain = MODELS.build(classifier())
    assert isinstance(fast, ImageClassifier)
    plain.load_state_dict(fast.state_dict())
    torch.testing.assert_close(fast.extract_feat(images), plain.eval().extract_feat(images), rtol=0, atol=0)
    torch.testing.assert_close(fast(images), plain(images), rtol=0, atol=0)


def test_bfloat16_inside_float32_outside(images, monkeypatch):
    monkeypatch.setattr(fast_classifier, 'has_bfloat16', lambda device: True)
    half, full = build(bfloat16=True), build()
    met = []
    half.backbone.register_forward_hook(lambda module, args, out: met.append(out[-1].dtype))
    found, expected = half.extract_feat(images)[-1], full.extract_feat(images)[-1]
    assert met == [torch.bfloat16]
    assert found.dtype == torch.float32
    assert 0 < (found - expected).abs().max() < 0.05 * expected.abs().max()
    half.loss(images, [DataSample().set_gt_label(i) for i in range(6)])['loss'].backward()
    assert {parameter.grad.dtype for parameter in half.parameters()} == {torch.float32}


def test_a_device_without_bfloat16_says_so(images, monkeypatch):
    monkeypatch.setattr(fast_classifier, 'has_bfloat16', lambda device: False)
    said = []
    monkeypatch.setattr(fast_classifier, 'print_log', lambda text, **kwargs: said.append(text))
    model = build(bfloat16=True)
    for _ in range(2):
        torch.testing.assert_close(model.extract_feat(images), build().extract_feat(images), rtol=0, atol=0)
    assert said == ['cpu has no bfloat16: backbone and neck run in float32']


def test_compiled(images):
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph

    model = build(compile=dict(backend=backend))
    torch.testing.assert_close(model.extract_feat(images), build().extract_feat(images))
    model.extract_feat(images)
    assert len(graphs) == 1
    assert model.state_dict().keys() == build().state_dict().keys()


def test_other_stages(images, monkeypatch):
    monkeypatch.setattr(fast_classifier, 'has_bfloat16', lambda device: True)
    half, full = build(bfloat16=True), build()
    (maps,), (expected,) = (model.extract_feat(images, 'backbone') for model in (half, full))
    assert maps.dtype == torch.float32 and maps.shape == expected.shape
    assert torch.equal(half.extract_feat(images, 'pre_logits'), half.extract_feat(images)[-1])


def test_automatic_mixed_precision_is_left_on(images):
    """That of the runner (`--amp`), for a model that does not ask for bfloat16 itself."""
    model, met = build(), []
    model.backbone.stem.register_forward_hook(lambda module, args, out: met.append(out.dtype))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        model.extract_feat(images)
    assert met == [torch.bfloat16]


def test_features_of_any_nesting():
    half = torch.ones(2, dtype=torch.bfloat16)
    nested = fast_classifier._to_float(((half, half), half, None))
    assert [feat.dtype for feat in (*nested[0], nested[1])] == [torch.float32] * 3
    assert nested[2] is None  # the auxiliary output of InceptionV3


def test_labels_of_a_batch_give_the_loss_of_its_samples(images):
    labels = torch.tensor([3, 1, 4, 1, 5, 9])
    samples = [DataSample().set_gt_label(int(label)) for label in labels]
    expected = build().loss(images, samples)['loss']
    assert build().loss(images, SampleBatch(labels, torch.arange(6)))['loss'] == expected


class CountingHead(LinearClsHead):
    """A head of one's own, whose loss counts samples, and asks each for its index."""

    def loss(self, feats, data_samples, **kwargs):
        self.indices = [sample.sample_idx for sample in data_samples]
        labels = torch.cat([sample.gt_label for sample in data_samples])
        return dict(loss=self.loss_module(self(feats), labels, avg_factor=len(data_samples)))


def test_a_head_with_a_loss_of_its_own_gets_each_sample(images):
    head = dict(type=CountingHead, num_classes=10, in_channels=16)
    labels = torch.tensor([3, 1, 4, 1, 5, 9])
    samples = [DataSample(metainfo=dict(sample_idx=i)).set_gt_label(int(label)) for i, label in enumerate(labels)]
    expected = build(head=head).loss(images, samples)['loss']
    model = build(head=head)
    assert model.loss(images, SampleBatch(labels, torch.arange(6)))['loss'] == expected
    assert model.head.indices == list(range(6))
