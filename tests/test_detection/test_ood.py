# SPDX-License-Identifier: Apache-2.0
"""The detector equals the published numbers, in one batch or many, in one process or two."""

import numpy as np
import pytest
import torch
from detection_workers import detect
from mmpretrain.registry import TASK_UTILS

from tcl_plugin.detection import OODDetector, class_means, class_variances, fit_clean_probability, posterior


@pytest.fixture(scope='module')
def inputs(reference):
    return reference['detect_features'], reference['detect_probs'], reference['detect_labels']


@pytest.fixture(scope='module')
def published_scores(reference):
    return reference['assignments'].gather(1, reference['detect_labels'][:, None]).squeeze(1)


def feed(detector, inputs, batch_size):
    detector.reset()
    for batch in zip(*(tensor.split(batch_size) for tensor in inputs), strict=True):
        detector.update(*batch)
    return detector.compute()


def test_mixture_is_the_published_one(reference, inputs):
    features, probs, _ = inputs
    means = class_means(probs.t() @ features)
    torch.testing.assert_close(means, reference['centers'], rtol=1e-5, atol=1e-6)
    found = posterior(features, means, float(reference['temperature']))
    torch.testing.assert_close(found, reference['assignments'], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('per_class', [False, True])
def test_clean_probabilities_are_the_published_ones(reference, inputs, published_scores, per_class):
    published, labels = reference[f'confidence_sep{int(per_class)}'].numpy(), inputs[2].numpy()
    direct = fit_clean_probability(published_scores.numpy(), labels if per_class else None)
    np.testing.assert_allclose(direct, published, atol=1e-5)

    detector = TASK_UTILS.build(dict(type='OODDetector', per_class=per_class, feature_dtype='float32'))
    local = feed(detector, inputs, batch_size=37)
    torch.testing.assert_close(local.prototypes, reference['centers'], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(local.scores, published_scores, rtol=1e-5, atol=1e-6)
    clean_prob = detector.clean_probability(local.scores.numpy().astype(np.float64), labels, 10)
    np.testing.assert_allclose(clean_prob, published, atol=1e-5)


def test_estimated_spread(inputs):
    features, probs, labels = inputs
    local = feed(OODDetector('estimated', feature_dtype='float32'), inputs, batch_size=300)
    sums = probs.t().double() @ features.double()
    means = class_means(sums)
    sigma = class_variances(sums, probs.sum(dim=0).double(), means)
    expected = posterior(features.double(), means, sigma)[torch.arange(len(labels)), labels]
    torch.testing.assert_close(local.scores.double(), expected, rtol=1e-5, atol=1e-6)
    assert (local.scores - feed(OODDetector(), inputs, batch_size=300).scores).abs().max() > 0.01


def test_half_precision_comes_in_float32_goes_out(inputs):
    detector = OODDetector()
    half = feed(detector, (inputs[0].bfloat16(), inputs[1].bfloat16(), inputs[2]), batch_size=100)
    assert half.scores.dtype == half.prototypes.dtype == torch.float32
    torch.testing.assert_close(half.scores, feed(detector, inputs, 800).scores, rtol=0, atol=0.02)


@pytest.mark.parametrize('per_class', [False, True])
def test_features_kept_in_half_precision_hardly_matter(inputs, published_scores, reference, per_class):
    local = feed(OODDetector(per_class=per_class), inputs, batch_size=100)
    torch.testing.assert_close(local.scores, published_scores, rtol=0, atol=1e-3)
    torch.testing.assert_close(local.prototypes, reference['centers'], rtol=1e-5, atol=1e-6)
    clean_prob = OODDetector(per_class=per_class).clean_probability(local.scores.numpy(), inputs[2].numpy(), 10)
    published = reference[f'confidence_sep{int(per_class)}'].numpy()
    assert ((clean_prob > 0.5) != (published > 0.5)).mean() < 0.01


def test_reset_forgets(inputs):
    detector = OODDetector()
    feed(detector, [tensor[:100] for tensor in inputs], batch_size=50)
    again = feed(detector, inputs, batch_size=800)
    torch.testing.assert_close(again.scores, feed(OODDetector(), inputs, batch_size=800).scores, rtol=0, atol=0)
    detector.reset()
    with pytest.raises(ValueError, match=r'samples before compute\(\): call update\(\) first'):
        detector.compute()


@pytest.mark.parametrize('sigma', [0.25, 'estimated'])
def test_two_processes_equal_one(two_processes, inputs, sigma):
    """With an odd number of samples, so that the processes hold different numbers."""
    inputs = [tensor[:101].numpy() for tensor in inputs]
    detector = dict(type='OODDetector', sigma=sigma)
    expected, prototypes = detect(0, *inputs, detector, world_size=1)
    shares = two_processes(detect, *inputs, detector)
    for rank, (scores, own_prototypes) in enumerate(shares):
        np.testing.assert_allclose(scores, expected[rank::2], rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(own_prototypes, prototypes, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize('sigma', [0, -0.25, 'estimate', None])
def test_bad_sigma(sigma):
    with pytest.raises(ValueError, match="sigma must be a positive number or 'estimated'"):
        OODDetector(sigma)


def test_bad_feature_dtype():
    with pytest.raises(ValueError, match="feature_dtype must be 'float16' or 'float32', not 'bfloat16'"):
        OODDetector(feature_dtype='bfloat16')
