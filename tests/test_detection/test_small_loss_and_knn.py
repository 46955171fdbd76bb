# SPDX-License-Identifier: Apache-2.0
"""Detectors by loss and by neighbours equal plain versions, in one batch or many, in one process or two."""

import numpy as np
import pytest
import torch
from detection_workers import detect
from mmpretrain.registry import TASK_UTILS
from sklearn.mixture import GaussianMixture

from tcl_plugin.detection import DetectionWarning, KNNDetector, SmallLossDetector, class_means, neighbors
from tcl_plugin.detection.row_store import RowStore


@pytest.fixture(scope='module')
def inputs(reference):
    return reference['detect_features'], reference['detect_probs'], reference['detect_labels']


def feed(detector, inputs, batch_size=64):
    detector.reset()
    for batch in zip(*(tensor.split(batch_size) for tensor in inputs), strict=True):
        detector.update(*batch)
    return detector.compute()


# By loss


def test_small_loss_scores_are_minus_the_cross_entropy(inputs):
    features, probs, labels = inputs
    local = feed(TASK_UTILS.build(dict(type='SmallLossDetector')), inputs)
    plain = [np.log(prob[label]) for prob, label in zip(probs.numpy(), labels.numpy(), strict=True)]
    np.testing.assert_allclose(local.scores, plain, rtol=1e-5)
    torch.testing.assert_close(local.prototypes, class_means(probs.t() @ features), rtol=1e-5, atol=1e-6)
    assert torch.equal(local.suggested_label, probs.argmax(dim=1))
    assert torch.equal(local.suggested_prob, probs.amax(dim=1))
    np.testing.assert_allclose(SmallLossDetector().readable_scores(local.scores.numpy()), np.exp(plain), rtol=1e-5)


def test_small_loss_of_a_certain_mistake_is_finite():
    probs, labels = torch.tensor([[1.0, 0.0], [0.6, 0.4]]), torch.tensor([1, 1])
    scores = feed(SmallLossDetector(), (torch.eye(2), probs, labels)).scores
    assert scores[0] < -80 and scores.isfinite().all()


def test_small_loss_is_split_as_in_divide_mix():
    """Its published code, from the losses of one epoch on."""
    rng = np.random.default_rng(0)
    losses = np.concatenate([rng.gamma(0.6, 0.08, 1500), rng.normal(2.5, 0.8, 500).clip(0), rng.normal(0.7, 0.2, 200)])
    scaled = (losses - losses.min()) / (losses.max() - losses.min())
    gmm = GaussianMixture(n_components=2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=0)
    published = gmm.fit(scaled[:, None]).predict_proba(scaled[:, None])[:, gmm.means_.argmin()]
    clean_prob = SmallLossDetector().clean_probability(-losses, np.zeros(len(losses), dtype=int), 1)
    np.testing.assert_allclose(clean_prob, published, atol=1e-5)
    other = SmallLossDetector(reg_covar=1e-6, tol=1e-3, max_iter=100)
    assert np.abs(other.clean_probability(-losses, np.zeros(len(losses), dtype=int), 1) - published).max() > 0.1


@pytest.mark.parametrize('kind', [dict(type='SmallLossDetector'), dict(type='KNNDetector', k=50)])
@pytest.mark.parametrize('per_class', [False, True])
def test_right_labels_are_told_from_wrong_ones(kind, per_class):
    rng = torch.Generator().manual_seed(0)
    true = torch.arange(600) % 3
    given = true.clone()
    given[:200] = (true[:200] + 1 + torch.randint(0, 2, (200,), generator=rng)) % 3
    features = torch.nn.functional.normalize(torch.eye(3)[true] + 0.2 * torch.randn(600, 3, generator=rng), dim=1)
    probs = (4 * features).softmax(dim=1)
    detector = TASK_UTILS.build(dict(kind, per_class=per_class))
    local = feed(detector, (features, probs, given))
    clean_prob = detector.clean_probability(local.scores.double().numpy(), given.numpy(), 3)
    assert ((clean_prob > 0.5) == (given == true).numpy()).mean() > 0.95


# By neighbours


def plain_neighbors(features, k):
    """All similarities at once, sorted."""
    similarity = features.double().numpy() @ features.double().numpy().T
    np.fill_diagonal(similarity, -np.inf)
    return np.argsort(-similarity, axis=1, kind='stable')[:, :k], similarity


def plain_votes(features, labels, k, temperature, num_classes):
    near, similarity = plain_neighbors(features, k)
    votes = np.zeros((len(labels), num_classes))
    for i, row in enumerate(near):
        for j in row:
            votes[i, labels[j]] += 1 if temperature is None else np.exp(similarity[i, j] / temperature)
    return votes / votes.sum(axis=1, keepdims=True)


@pytest.fixture
def small_pieces(monkeypatch):
    """Pieces so small that samples, their neighbours and themselves lie in different ones."""
    monkeypatch.setattr('tcl_plugin.detection.row_store.PIECE_ROWS', 17)
    monkeypatch.setattr('tcl_plugin.detection.knn.PIECE_ROWS', 17)
    monkeypatch.setattr('tcl_plugin.detection.voting.PIECE_ROWS', 17)
    monkeypatch.setattr(neighbors, 'QUERY_ROWS', 5)


def test_neighbors_are_exact(inputs, small_pieces):
    store = RowStore(torch.float32)
    for rows in inputs[0][:150].split(31):
        store.append(rows)
    similarity, position = neighbors.nearest_neighbors(store, 9)
    expected, table = plain_neighbors(inputs[0][:150], 9)
    np.testing.assert_array_equal(position, expected)
    np.testing.assert_allclose(similarity, np.take_along_axis(table, expected, axis=1), rtol=1e-5)


def test_neighbors_of_others_are_exact(inputs, small_pieces):
    """Also those that are equal to a sample."""
    store, queries = RowStore(torch.float32), RowStore(torch.float32)
    store.append(inputs[0][:40])
    queries.append(inputs[0][20:63])
    similarity, position = neighbors.nearest_neighbors(store, 100, queries)
    table = inputs[0][20:63].double().numpy() @ inputs[0][:40].double().numpy().T
    expected = np.argsort(-table, axis=1, kind='stable')
    np.testing.assert_array_equal(position, expected)
    np.testing.assert_allclose(similarity, np.take_along_axis(table, expected, axis=1), rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(position[:20, 0], np.arange(20, 40))


@pytest.mark.parametrize(('temperature', 'rounds'), [(None, 1), (0.1, 1), (None, 2)])
def test_votes(inputs, small_pieces, temperature, rounds):
    inputs = [tensor[:150] for tensor in inputs]
    labels = inputs[2].numpy()
    detector = KNNDetector(k=9, temperature=temperature, rounds=rounds, feature_dtype='float32')
    local = feed(detector, inputs, batch_size=31)
    voters = labels
    if rounds == 2:
        voters = plain_votes(inputs[0], labels, 9, temperature, 10).argmax(axis=1)
    votes = plain_votes(inputs[0], voters, 9, temperature, 10)
    np.testing.assert_allclose(local.scores, votes[np.arange(150), labels], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(local.suggested_prob, votes.max(axis=1), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(local.suggested_label, votes.argmax(axis=1))


def test_unanimous_votes_are_no_component_of_their_own():
    """Not with more added to the variances: without, all labels with a vote against them are called wrong."""
    rng = np.random.default_rng(0)
    right, wrong = np.r_[np.ones(400), rng.uniform(0.4, 1, 420)], np.zeros(180)
    scores = np.r_[right, wrong].round(2)
    plain, widened = (
        KNNDetector(reg_covar=added).clean_probability(scores, np.zeros(1000, dtype=int), 1) <= 0.5
        for added in (1e-6, 0.02)
    )
    assert plain[400:820].mean() > 0.9 and plain[820:].all()
    assert not widened[scores > 0.6].any() and widened[820:].all()


def test_more_added_to_the_variances_merges_votes_that_overlap():
    """As docs/degenerate.md says: what helps where scores are heaped finds no wrong label in these."""
    rng = np.random.default_rng(0)
    scores, given = np.r_[rng.normal(0.7, 0.13, 800), rng.normal(0.3, 0.13, 200)].clip(0, 1), np.zeros(1000, dtype=int)
    assert (KNNDetector().clean_probability(scores, given, 1) <= 0.5).mean() == pytest.approx(0.2, abs=0.02)
    with pytest.warns(DetectionWarning, match='same mean'):
        assert (KNNDetector(reg_covar=0.02).clean_probability(scores, given, 1) == 1).all()


def test_fewer_samples_than_neighbors(inputs):
    local = feed(KNNDetector(k=250, rounds=1), [tensor[:4] for tensor in inputs])
    labels = inputs[2][:4]
    shares = [(torch.cat([labels[:i], labels[i + 1 :]]) == label).float().mean() for i, label in enumerate(labels)]
    torch.testing.assert_close(local.scores, torch.stack(shares))


@pytest.mark.parametrize(('number', 'message'), [(0, r'needs samples before compute\(\)'), (1, 'two samples or more')])
def test_too_few_samples(inputs, number, message):
    detector = KNNDetector()
    if number:
        detector.update(*(tensor[:number] for tensor in inputs))
    with pytest.raises(ValueError, match=message):
        detector.compute()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(k=0), 'k must be 1 or more, got 0'),
        (dict(temperature=0), 'temperature must be None or positive, got 0'),
        (dict(rounds=3), 'rounds must be 1 or 2, got 3'),
        (dict(feature_dtype='int8'), "feature_dtype must be 'float16' or 'float32', not 'int8'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        KNNDetector(**arguments)


@pytest.mark.parametrize('detector', [dict(type='SmallLossDetector'), dict(type='KNNDetector', k=7, rounds=2)])
def test_two_processes_equal_one(two_processes, inputs, detector):
    """With an odd number of samples, so that the processes hold different numbers."""
    inputs = [tensor[:101].numpy() for tensor in inputs]
    expected, prototypes = detect(0, *inputs, detector, world_size=1)
    for rank, (scores, own_prototypes) in enumerate(two_processes(detect, *inputs, detector)):
        np.testing.assert_allclose(scores, expected[rank::2], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(own_prototypes, prototypes, rtol=1e-6, atol=1e-7)
