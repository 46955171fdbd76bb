# SPDX-License-Identifier: Apache-2.0
"""From a score for each given label to the probability that the label is right."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from .degenerate import TRUST, DetectionWarning, check_finite


@dataclass(frozen=True)
class GMMOptions:
    """How a mixture is fitted. The defaults of the last three are scikit-learn's.

    Attributes:
        seed (int): Seed of the k-means initialisation, and of the choice of ``max_samples``.
        max_samples (int): Of more samples than this, a mixture is fitted to so many, chosen at
            random; all samples get their probability from it. docs/scaling.md shows how little that
            changes.
        reg_covar (float): What is added to each variance of the scores, which are brought to [0, 1]
            before. No two components are told apart whose means lie within its root.
        tol (float): A fit ends when the mean log-likelihood rises by less than this.
        max_iter (int): Most steps of a fit.
    """

    seed: int = 0
    max_samples: int = 100_000
    reg_covar: float = 1e-6
    tol: float = 1e-3
    max_iter: int = 100

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: If one is out of its range.
        """
        # Without anything added, a heap of equal scores is a component without variance, which scikit-learn refuses.
        if not 0 < self.reg_covar < np.inf:
            raise ValueError(f'reg_covar must be a finite number above 0, got {self.reg_covar}')
        least = dict(seed=0, max_samples=2, tol=0, max_iter=1)
        for name, bound in least.items():
            value = getattr(self, name)
            if not value >= bound:  # NaN is not, either
                raise ValueError(f'{name} must be {bound} or more, got {value}')


DEFAULTS = GMMOptions()


@dataclass
class ScoreMixture:
    """Mixtures of two Gaussians over scores: one, or one for each class that has one and these added up.

    Row 0 of each table is the component of wrong labels, row 1 that of right ones.

    Attributes:
        weights (np.ndarray): Shares of all samples, shape (2, M). They sum to 1, less what belongs to
            classes without a mixture.
        means (np.ndarray): In units of the scores, shape (2, M).
        stds (np.ndarray): Standard deviations, shape (2, M).
    """

    weights: np.ndarray
    means: np.ndarray
    stds: np.ndarray

    def density(self, scores: np.ndarray) -> np.ndarray:
        """Density of each component, weighted by its share.

        Args:
            scores (np.ndarray): Scores, shape (n,).

        Returns:
            np.ndarray: Densities of wrong and right labels, shape (2, n).
        """
        distance = (scores[:, None, None] - self.means) / self.stds
        densities = self.weights * np.exp(-(distance**2) / 2) / (self.stds * np.sqrt(2 * np.pi))
        return densities.sum(axis=2).T


def fit_clean_probability(
    scores: np.ndarray,
    labels: np.ndarray | None = None,
    options: GMMOptions = DEFAULTS,
) -> np.ndarray:
    """Fit a two-component GMM to the scores; the component with the higher mean is "clean".

    The paper (section 3.2) fits one mixture to the scores of the whole training set. Its published
    configuration for CIFAR-100 with 90 % noise fits one for each given class instead, which keeps
    classes with low scores throughout from being distrusted as a whole: pass ``labels`` for that.

    Where no two components can be found, in all samples or in those of a class, nothing speaks against
    their labels: they get 1, as in a warm-up, and a :class:`DetectionWarning` says so. Where the wider
    component would overtake beyond the other one's mean, and call the lowest scores clean or the
    highest wrong, the probability stays as it is at the turning point; other mixtures are left as
    they are. (docs/degenerate.md)

    Args:
        scores (np.ndarray): Score of each given label, higher means more likely right, shape (N,).
        labels (np.ndarray, optional): Given labels, shape (N,): fit one mixture per class.
            Defaults to None, one mixture over all samples.
        options (GMMOptions): How mixtures are fitted. Defaults to its own defaults.

    Returns:
        np.ndarray: Clean probability w_i of each sample in [0, 1], float64, shape (N,).

    Raises:
        ValueError: If a score is NaN or infinite.

    Example:
        >>> scores = np.array([0.9, 0.95, 0.1, 0.12])
        >>> fit_clean_probability(scores).round()
        array([1., 1., 0., 0.])
    """
    scores = check_finite(scores)
    # Scaled over the whole set also where mixtures are per class: GaussianMixture adds a constant
    # to its variances (reg_covar), so its result depends on the scale of what it is given.
    scaled = _scale_to_unit(scores)
    clean_prob = np.full_like(scaled, TRUST)
    for members, gmm in _fit_each(scaled, labels, options):
        clean_prob[members] = _clean_responsibility(gmm, scaled[members], options.max_samples)
    return clean_prob


def fit_score_mixture(
    scores: np.ndarray,
    labels: np.ndarray | None = None,
    options: GMMOptions = DEFAULTS,
) -> ScoreMixture | None:
    """Fit what :func:`fit_clean_probability` fits, and return the mixture itself, for pictures.

    Args:
        scores (np.ndarray): See :func:`fit_clean_probability`; so are the others.
        labels (np.ndarray, optional): Given labels.
        options (GMMOptions): How mixtures are fitted. Defaults to its own defaults.

    Returns:
        ScoreMixture, optional: One mixture (M = 1), or one for each class that has one. None where
        no two components can be found.

    Raises:
        ValueError: As :func:`fit_clean_probability`.
    """
    scores = check_finite(scores)
    low, width = scores.min(), np.ptp(scores)
    columns = []
    scaled = _scale_to_unit(scores)
    # Whoever has asked for probabilities has been told.
    for members, gmm in _fit_each(scaled, labels, options, tell=False):
        order = gmm.means_[:, 0].argsort()
        share = len(scaled[members]) / len(scaled)
        means, variances = gmm.means_[order, 0], gmm.covariances_[order, 0, 0]
        columns.append((share * gmm.weights_[order], low + width * means, width * np.sqrt(variances)))
    if not columns:
        return None
    return ScoreMixture(*(np.stack(parts, axis=1) for parts in zip(*columns, strict=True)))


def _scale_to_unit(scores: np.ndarray) -> np.ndarray:
    """Bring scores to [0, 1]; all equal ones to 0."""
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if low < high else np.zeros_like(scores)


def _fit_each(
    scores: np.ndarray,
    labels: np.ndarray | None,
    options: GMMOptions,
    tell: bool = True,
) -> Iterator[tuple[np.ndarray | slice, GaussianMixture]]:
    """Fit one mixture to all scores, or one to those of each class; yield whose they are, and the mixture.

    Those without two components are not yielded; one warning of each kind names all of them, with ``tell``.
    """
    trusted, unfinished = {}, []
    for name, members in _groups(labels):
        gmm, reason = _fit(scores[members], options)
        if reason is None:
            yield members, gmm
        else:
            trusted[name] = reason
        if gmm is not None and not gmm.converged_:
            unfinished.append(name)
    if tell:
        _warn(trusted, unfinished)


def _groups(labels: np.ndarray | None) -> list[tuple[str, np.ndarray | slice]]:
    """Names of what has a mixture of its own, and its samples."""
    if labels is None:
        return [('all samples', slice(None))]
    return [(f'class {k}', np.flatnonzero(labels == k)) for k in np.unique(labels)]


def _warn(trusted: dict[str, str], unfinished: list[str]) -> None:
    if trusted:
        named = ', '.join(f'{name} ({reason})' for name, reason in trusted.items())
        text = f'right and wrong labels cannot be told apart by the scores of {named}: these labels are all trusted'
        warnings.warn(DetectionWarning('no two components', text), stacklevel=4)
    if unfinished:
        text = f'the GMM of {", ".join(unfinished)} has not converged: the result of its last step is used'
        warnings.warn(DetectionWarning('not converged', text), stacklevel=4)


def _fit(scores: np.ndarray, options: GMMOptions) -> tuple[GaussianMixture | None, str | None]:
    """A mixture, and why it does not tell right labels from wrong ones, or None."""
    if len(scores) < 2:
        return None, 'only one'
    if scores.min() == scores.max():
        return None, f'{len(scores)}, all equal'
    fitted = scores[:, None]
    if len(scores) > options.max_samples:
        fitted = np.random.default_rng(options.seed).choice(fitted, options.max_samples, replace=False)
        if fitted.min() == fitted.max():
            return None, f'{len(scores)}, all but a few equal'
    with warnings.catch_warnings():
        # Told by converged_, once for all mixtures; k-means warns of values that are all but equal.
        warnings.simplefilter('ignore', ConvergenceWarning)
        gmm = GaussianMixture(
            n_components=2,
            random_state=options.seed,
            reg_covar=options.reg_covar,
            tol=options.tol,
            max_iter=options.max_iter,
        ).fit(fitted)
    return gmm, _why_not_two(gmm, len(fitted))


def _why_not_two(gmm: GaussianMixture, number: int) -> str | None:
    """Why the components of a mixture of so many scores are not right labels and wrong ones, or None."""
    means = gmm.means_[:, 0]
    if np.ptp(means) <= gmm.reg_covar**0.5:
        return f'{number}, components with the same mean'
    # Some rounding of what should be a whole number.
    if gmm.weights_[means.argmax()] * number < 1.5:
        return f'{number}, one of them alone far above the others'
    return None


def _clean_responsibility(gmm: GaussianMixture, scores: np.ndarray, max_samples: int) -> np.ndarray:
    """Responsibility of the component with the higher mean, shape (N,)."""
    column, clean = _hold_beyond_turn(gmm, scores)[:, None], gmm.means_.argmax()
    # Piece by piece: scikit-learn keeps several tables of the length of what it is given.
    pieces = [column[start : start + max_samples] for start in range(0, len(column), max_samples)]
    return np.concatenate([gmm.predict_proba(piece)[:, clean] for piece in pieces])


def _hold_beyond_turn(gmm: GaussianMixture, scores: np.ndarray) -> np.ndarray:
    r"""Scores, or the turning point for those beyond it, if the wider component overtakes there.

    The log-odds of two Gaussians are a parabola, which turns at

    .. math:: x = \frac{\mu_0/\sigma_0^2 - \mu_1/\sigma_1^2}{1/\sigma_0^2 - 1/\sigma_1^2}

    below both means if the component with the higher one is the wider, and above both otherwise.
    """
    order = gmm.means_[:, 0].argsort()
    means, precisions = gmm.means_[order, 0], 1 / gmm.covariances_[order, 0, 0]
    if precisions[0] == precisions[1]:
        return scores
    turn = (means[0] * precisions[0] - means[1] * precisions[1]) / (precisions[0] - precisions[1])
    low, high = gmm.predict_proba(np.array([[scores.min()], [scores.max()]]))[:, order[1]]
    if turn < means[0] and scores.min() < turn and low > 0.5:
        return np.maximum(scores, turn)
    if turn > means[1] and scores.max() > turn and high < 0.5:
        return np.minimum(scores, turn)
    return scores
