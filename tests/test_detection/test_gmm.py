# SPDX-License-Identifier: Apache-2.0
"""Scores become probabilities, and scores that cannot are refused with a reason."""

import warnings

import numpy as np
import pytest
from sklearn.mixture import GaussianMixture

from tcl_plugin.detection import DetectionWarning, GMMOptions, fit_clean_probability, fit_score_mixture


@pytest.fixture
def scores():
    rng = np.random.RandomState(0)
    return np.concatenate([rng.normal(0.2, 0.05, 30), rng.normal(0.8, 0.05, 50)])


def test_high_scores_are_clean_whatever_their_scale(scores):
    clean_prob = fit_clean_probability(scores)
    assert clean_prob.shape == (80,) and clean_prob.dtype == np.float64
    assert (clean_prob[:30] < 0.01).all() and (clean_prob[30:] > 0.99).all()
    np.testing.assert_allclose(fit_clean_probability(1e-3 * scores - 5), clean_prob, atol=1e-9)


def test_a_mixture_for_each_class_knows_low_classes(scores):
    """A class all of whose scores are low: wrong as a whole for one mixture, but not for its own."""
    labels = np.repeat([0, 1], 80)
    both = np.concatenate([scores, scores / 20])
    one = fit_clean_probability(both)
    each = fit_clean_probability(both, labels)
    assert (one[80:] < 0.5).all()
    assert ((each > 0.5) == np.tile(np.arange(80) >= 30, 2)).all()


@pytest.mark.parametrize('per_class', [False, True])
def test_a_fit_to_some_agrees_with_a_fit_to_all(per_class):
    """Twenty times as many samples as the fit sees, in two classes that differ."""
    rng = np.random.RandomState(0)
    labels = rng.randint(2, size=40_000)
    clean = rng.rand(40_000) < 0.3
    scores = np.where(clean, rng.beta(6, 2, 40_000), rng.beta(1.2, 8, 40_000)) / (1 + labels)
    args = (scores, labels) if per_class else (scores,)
    whole = fit_clean_probability(*args, options=GMMOptions(max_samples=40_000))
    part = fit_clean_probability(*args, options=GMMOptions(max_samples=2_000))
    assert not (part == whole).all()
    assert np.abs(part - whole).mean() < 0.02
    assert ((part > 0.5) == (whole > 0.5)).mean() > 0.98
    assert (part == fit_clean_probability(*args, options=GMMOptions(max_samples=2_000))).all()


def test_the_seed_chooses_what_a_fit_sees(scores, monkeypatch):
    seen, fit = [], GaussianMixture.fit
    monkeypatch.setattr(GaussianMixture, 'fit', lambda gmm, column: seen.append(column.copy()) or fit(gmm, column))
    for seed in (3, 3, 4):
        fit_clean_probability(scores, options=GMMOptions(seed=seed, max_samples=40))
    first, again, other = (set(column[:, 0]) for column in seen)
    assert len(first) == 40 and first == again and first != other


@pytest.mark.parametrize('per_class', [False, True])
def test_the_mixture_itself_gives_the_same_probabilities(scores, per_class):
    """Scores of two classes far apart: a class's own mixture is alone where its scores are."""
    args = (np.concatenate([scores, scores + 9]), np.repeat([0, 1], 80)) if per_class else (scores,)
    mixture, clean_prob = fit_score_mixture(*args), fit_clean_probability(*args)
    wrong, right = mixture.density(args[0])
    np.testing.assert_allclose(right / (wrong + right), clean_prob, atol=1e-6)
    np.testing.assert_allclose(mixture.means[:, 0], [0.2, 0.8], atol=0.05)
    grid = np.linspace(-2, 12, 20_001)
    assert np.trapezoid(mixture.density(grid).sum(axis=0), grid) == pytest.approx(1, abs=1e-3)
    assert mixture.weights[:, 0].sum() == pytest.approx(0.5 if per_class else 1)


def test_the_global_generator_is_left_alone(scores):
    state = np.random.get_state()[1].copy()
    first = fit_clean_probability(scores)
    assert (np.random.get_state()[1] == state).all()
    np.random.seed(2)
    assert (fit_clean_probability(scores) == first).all()


@pytest.mark.parametrize(
    ('scores', 'labels', 'reason'),
    [
        ([0.25] * 4, None, r'of all samples \(4, all equal\): these labels are all trusted'),
        ([0.25], None, r'of all samples \(1, all equal\)|only one'),
        ([0.1, 0.1, 0.11, 0.12, 0.9], None, 'one of them alone far above'),
        ([0.1, 0.1, 0.4, 0.41, 0.8, 0.81], [0, 0, 1, 1, 1, 1], r'of class 0 \(2, all equal\)'),
        ([0.1, 0.4, 0.41, 0.8, 0.81], [0, 1, 1, 1, 1], r'of class 0 \(only one\)'),
    ],
)
def test_labels_that_nothing_speaks_against_are_trusted(scores, labels, reason):
    labels = None if labels is None else np.array(labels)
    with pytest.warns(DetectionWarning, match=reason) as told:
        clean_prob = fit_clean_probability(np.array(scores), labels)
    assert len(told) == 1 and told[0].message.kind == 'no two components'
    if labels is None:
        assert (clean_prob == 1).all()
    else:
        assert (clean_prob[labels == 0] == 1).all()
        assert ((clean_prob[labels == 1] > 0.5) == [False, False, True, True]).all()
    with warnings.catch_warnings():
        # Whoever draws it has been told.
        warnings.simplefilter('error')
        mixture = fit_score_mixture(np.array(scores), labels)
    assert mixture is None if labels is None else mixture.means.shape == (2, 1)


def test_scores_that_are_equal_where_the_fit_looks():
    """Of 501 scores it sees two, and not the one that differs."""
    with pytest.warns(DetectionWarning, match=r'all samples \(501, all but a few equal\)'):
        assert (fit_clean_probability(np.append(np.zeros(500), 1.0), options=GMMOptions(max_samples=2)) == 1).all()


def test_components_with_the_same_mean(scores, monkeypatch):
    fit = GaussianMixture.fit

    def same(gmm, column):
        fit(gmm, column).means_[:] = 0.5
        return gmm

    monkeypatch.setattr(GaussianMixture, 'fit', same)
    with pytest.warns(DetectionWarning, match=r'all samples \(80, components with the same mean\)'):
        assert (fit_clean_probability(scores) == 1).all()


def test_components_of_the_same_width(scores, monkeypatch):
    """Whose log-odds are a line, and turn nowhere."""
    fit = GaussianMixture.fit

    def same(gmm, column):
        fit(gmm, column).covariances_[:] = 0.01
        return gmm

    expected = fit_clean_probability(scores)
    monkeypatch.setattr(GaussianMixture, 'fit', same)
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        np.testing.assert_allclose(fit_clean_probability(scores), expected)


def test_a_class_without_samples_is_no_matter(scores):
    """There is nobody to judge."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        alone = fit_clean_probability(scores, np.ones(80, dtype=int))
    np.testing.assert_allclose(alone, fit_clean_probability(scores))


def test_a_fit_that_has_not_converged(scores):
    """Its last step counts; scikit-learn's warning becomes one, for all classes, and none else is heard."""
    labels = np.arange(80) % 2
    with pytest.warns(Warning) as told:
        clean_prob = fit_clean_probability(scores, labels, GMMOptions(max_iter=1, tol=0))
    assert [(warning.category, warning.message.kind) for warning in told] == [(DetectionWarning, 'not converged')]
    assert 'GMM of class 0, class 1 has not converged' in str(told[0].message)
    assert ((clean_prob > 0.5) == (np.arange(80) >= 30)).all()


@pytest.mark.parametrize('flip', [False, True], ids=['lowest', 'highest'])
def test_the_wide_component_does_not_take_the_far_end(flip):
    """Right labels whose scores spread widely about a narrow peak of wrong ones; and the other way round."""
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0.3, 0.03, 1600), rng.normal(0.5, 0.2, 400)])
    scores = -scores if flip else scores
    gmm = GaussianMixture(2, random_state=0).fit((scores[:, None] - scores.min()) / np.ptp(scores))
    plain = gmm.predict_proba((scores[:, None] - scores.min()) / np.ptp(scores))[:, gmm.means_.argmax()]
    end = scores.argmax() if flip else scores.argmin()
    assert plain[end] < 0.01 if flip else plain[end] > 0.99  # the formula alone would do it
    found = fit_clean_probability(scores)
    assert found[end] > 0.5 if flip else found[end] < 0.5
    assert (np.diff(found[scores.argsort()]) >= -1e-9).all()


@pytest.mark.parametrize('flip', [False, True], ids=['lowest', 'highest'])
def test_other_mixtures_keep_every_digit(flip):
    """The far end rises, as it does in ordinary runs, but does not pass one half."""
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(0.08, 0.027, 1000), rng.normal(0.49, 0.186, 400)]).clip(0.02)
    scores = -scores if flip else scores
    scaled = (scores - scores.min())[:, None] / np.ptp(scores)
    gmm = GaussianMixture(2, random_state=0).fit(scaled)
    plain = gmm.predict_proba(scaled)[:, gmm.means_.argmax()]
    if flip:
        assert plain.max() > plain[scores.argmax()] > 0.5
    else:
        assert plain.min() < plain[scores.argmin()] < 0.5
    np.testing.assert_array_equal(fit_clean_probability(scores), plain)


OUT_OF_RANGE = dict(max_samples=1, seed=-1, tol=float('nan'), max_iter=0, reg_covar=0)


@pytest.mark.parametrize('name', OUT_OF_RANGE)
def test_options_out_of_range(name):
    with pytest.raises(ValueError, match=f'{name} must be ([012] or more|a finite number above 0), got'):
        GMMOptions(**{name: OUT_OF_RANGE[name]})


def test_bad_scores_are_refused():
    with pytest.raises(ValueError, match=r'2 of 4 scores are NaN or infinite, the first at sample 1'):
        fit_clean_probability(np.array([0.1, np.nan, 0.3, np.inf]))
