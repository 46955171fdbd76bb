# SPDX-License-Identifier: Apache-2.0
"""What holds for any representations, predictions and labels: of detectors."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from property_settings import few

from tcl_plugin.detection import BetaMixtureDetector, DetectionWarning, KNNDetector, OODDetector, SmallLossDetector

DETECTORS = {
    'ood': lambda: OODDetector(feature_dtype='float32'),
    'ood-estimated': lambda: OODDetector(sigma='estimated', feature_dtype='float32'),
    'small loss': SmallLossDetector,
    'knn': lambda: KNNDetector(k=3, feature_dtype='float32'),
    'beta': BetaMixtureDetector,
}


@st.composite
def batches(draw) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Unit-length representations, predictions (from flat to certain ones) and labels of some samples."""
    size, num_classes = draw(st.integers(6, 40)), draw(st.integers(2, 6))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    features = F.normalize(torch.randn(size, draw(st.integers(3, 8)), generator=generator), dim=1)
    sharpness = draw(st.sampled_from([0.01, 1.0, 100.0]))
    probs = (sharpness * torch.randn(size, num_classes, generator=generator)).softmax(dim=1)
    return features, probs, torch.randint(num_classes, (size,), generator=generator)


def detect(detector, features, probs, labels):
    """Scores, and clean probabilities."""
    detector.reset()
    for rows in torch.arange(len(labels)).split(7):
        detector.update(features[rows], probs[rows], labels[rows])
    local = detector.compute()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', DetectionWarning)
        return local, detector.clean_probability(local.scores.double().numpy(), labels.numpy(), probs.size(1))


@pytest.mark.parametrize('name', DETECTORS)
@few
@given(batch=batches())
def test_any_scores_give_probabilities(name, batch):
    features, probs, _ = batch
    detector = DETECTORS[name]()
    local, clean = detect(detector, *batch)
    size, num_classes = probs.shape
    assert local.scores.shape == (size,) and local.scores.isfinite().all()
    quality = detector.readable_scores(local.scores.double().numpy())
    assert quality.shape == (size,) and ((quality >= 0) & (quality <= 1 + 1e-6)).all()
    assert clean.shape == (size,) and clean.dtype == np.float64
    assert ((clean >= 0) & (clean <= 1)).all()
    if local.suggested_label is not None:
        assert ((local.suggested_label >= 0) & (local.suggested_label < num_classes)).all()
        assert ((local.suggested_prob >= 0) & (local.suggested_prob <= 1 + 1e-6)).all()
    if local.prototypes is not None:
        assert local.prototypes.shape == (num_classes, features.size(1)) and local.prototypes.isfinite().all()


@pytest.mark.parametrize('name', DETECTORS)
@few
@given(batch=batches(), seed=st.integers(0, 1000))
def test_scores_do_not_depend_on_the_order_of_samples(name, batch, seed):
    order = torch.randperm(len(batch[2]), generator=torch.Generator().manual_seed(seed))
    scores = detect(DETECTORS[name](), *batch)[0].scores
    shuffled = detect(DETECTORS[name](), *(part[order] for part in batch))[0].scores
    torch.testing.assert_close(shuffled, scores[order], rtol=1e-4, atol=1e-5)


@few
@given(size=st.integers(20, 60), seed=st.integers(0, 1000))
def test_clean_probabilities_do_not_depend_on_the_order_either(size, seed):
    """Mixtures are fitted from a start that depends on it: that holds for scores in two clouds, and not for any."""
    rng = np.random.RandomState(seed)
    is_wrong = np.arange(size) % 3 == 0
    scores = np.where(is_wrong, 0.1, 0.9) + rng.uniform(-0.05, 0.05, size)
    order, labels = rng.permutation(size), np.zeros(size, dtype=np.int64)
    for detector in (OODDetector(), BetaMixtureDetector(outliers=0)):
        clean = detector.clean_probability(scores, labels, 1)
        again = detector.clean_probability(scores[order], labels[order], 1)
        np.testing.assert_allclose(again, clean[order], atol=1e-6)
        assert ((clean > 0.5) == ~is_wrong).all()


@pytest.mark.parametrize('name', DETECTORS)
@pytest.mark.parametrize('size', [2, 3])
def test_few_samples(name, size):
    features, probs = F.normalize(torch.eye(size, 4), dim=1), torch.eye(size, 2).clamp(0.1, 0.9)
    local, clean = detect(DETECTORS[name](), features, probs, torch.zeros(size, dtype=torch.int64))
    assert local.scores.shape == (size,)
    assert ((clean >= 0) & (clean <= 1)).all()


@pytest.mark.parametrize('name', DETECTORS)
def test_samples_all_alike(name):
    """Nothing speaks against any label."""
    features, probs = torch.ones(20, 1), torch.full((20, 2), 0.5)
    labels = torch.zeros(20, dtype=torch.int64)
    assert (detect(DETECTORS[name](), features, probs, labels)[1] == 1).all()


@pytest.mark.parametrize('name', DETECTORS)
@pytest.mark.parametrize('value', [float('nan'), float('inf'), float('-inf')])
def test_scores_that_are_no_numbers(name, value):
    scores = np.array([0.1, value, 0.9, 0.8])
    with pytest.raises(ValueError, match='1 of 4 scores are NaN or infinite, the first at sample 1'):
        DETECTORS[name]().clean_probability(scores, np.zeros(4, dtype=int), 2)


@pytest.mark.parametrize('name', DETECTORS)
def test_predictions_that_have_underflowed(name):
    """A probability of exactly 0 has a score, too."""
    generator = torch.Generator().manual_seed(0)
    probs = F.one_hot(torch.randint(3, (30,), generator=generator), 3).float()
    labels = torch.randint(3, (30,), generator=generator)
    features = F.normalize(torch.randn(30, 4, generator=generator), dim=1)
    local, clean = detect(DETECTORS[name](), features, probs, labels)
    assert local.scores.isfinite().all()
    assert np.isfinite(clean).all()
