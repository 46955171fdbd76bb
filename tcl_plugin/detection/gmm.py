# SPDX-License-Identifier: Apache-2.0
"""From a score for each given label to the probability that the label is right."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.mixture import GaussianMixture


@dataclass
class ScoreMixture:
    """Mixtures of two Gaussians over scores: one, or one for each class and these added up.

    Row 0 of each table is the component of wrong labels, row 1 that of right ones.

    Attributes:
        weights (np.ndarray): Shares, which sum to 1 over both components of all M mixtures, shape (2, M).
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
    num_classes: int | None = None,
    seed: int = 0,
    max_samples: int = 100_000,
) -> np.ndarray:
    """Fit a two-component GMM to the scores; the component with the higher mean is "clean".

    The paper (section 3.2) fits one mixture to the scores of the whole training set. Its published
    configuration for CIFAR-100 with 90 % noise fits one for each given class instead, which keeps
    classes with low scores throughout from being called wrong as a whole: pass ``labels`` for that.

    Args:
        scores (np.ndarray): Score of each given label, higher means more likely right, shape (N,).
        labels (np.ndarray, optional): Given labels, shape (N,): fit one mixture per class.
            Defaults to None, one mixture over all samples.
        num_classes (int, optional): Number of classes K, needed with ``labels``.
        seed (int): Seed of the mixture's k-means initialisation, and of the choice below. Defaults
            to 0.
        max_samples (int): Of more samples than this, a mixture is fitted to so many, chosen at
            random; all samples get their probability from it. docs/scaling.md shows how little that
            changes. Defaults to 100,000.

    Returns:
        np.ndarray: Clean probability w_i of each sample in [0, 1], float64, shape (N,).

    Raises:
        ValueError: If a score is NaN or infinite, if all scores (of a class) are equal, or if
            fewer than two samples carry the label of a class.

    Example:
        >>> scores = np.array([0.9, 0.95, 0.1, 0.12])
        >>> fit_clean_probability(scores).round()
        array([1., 1., 0., 0.])
    """
    scores = _finite(scores)
    # Scaled over the whole set also where mixtures are per class: GaussianMixture adds a constant
    # to its variances (reg_covar), so its result depends on the scale of what it is given.
    scaled = _scale_to_unit(scores)
    clean_prob = np.empty_like(scaled)
    for members, gmm in _fit_each(scaled, labels, num_classes, seed, max_samples):
        clean_prob[members] = _clean_responsibility(gmm, scaled[members], max_samples)
    return clean_prob


def fit_score_mixture(
    scores: np.ndarray,
    labels: np.ndarray | None = None,
    num_classes: int | None = None,
    seed: int = 0,
    max_samples: int = 100_000,
) -> ScoreMixture:
    """Fit what :func:`fit_clean_probability` fits, and return the mixture itself, for pictures.

    Args:
        scores (np.ndarray): See :func:`fit_clean_probability`; so are the others.
        labels (np.ndarray, optional): Given labels.
        num_classes (int, optional): Number of classes K.
        seed (int): Seed. Defaults to 0.
        max_samples (int): Most samples that a mixture is fitted to. Defaults to 100,000.

    Returns:
        ScoreMixture: One mixture (M = 1), or one for each class (M = K).

    Raises:
        ValueError: As :func:`fit_clean_probability`.
    """
    scores = _finite(scores)
    low, width = scores.min(), np.ptp(scores)
    columns = []
    scaled = _scale_to_unit(scores)
    for members, gmm in _fit_each(scaled, labels, num_classes, seed, max_samples):
        order = gmm.means_[:, 0].argsort()
        share = len(scaled[members]) / len(scaled)
        means, variances = gmm.means_[order, 0], gmm.covariances_[order, 0, 0]
        columns.append((share * gmm.weights_[order], low + width * means, width * np.sqrt(variances)))
    return ScoreMixture(*(np.stack(parts, axis=1) for parts in zip(*columns, strict=True)))


def _finite(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise ValueError(
            f'{len(bad)} of {len(scores)} scores are NaN or infinite, the first at sample '
            f'{bad[0]} (value {scores[bad[0]]})'
        )
    return scores


def _scale_to_unit(scores: np.ndarray) -> np.ndarray:
    """Bring scores to [0, 1]."""
    low, high = scores.min(), scores.max()
    if low == high:
        raise ValueError(
            f'all {len(scores)} scores are equal ({low:g}): right and wrong labels cannot be told '
            'apart (has the network collapsed to one prediction?)'
        )
    return (scores - low) / (high - low)


def _fit_each(
    scores: np.ndarray, labels: np.ndarray | None, num_classes: int | None, seed: int, max_samples: int
) -> Iterator[tuple[np.ndarray | slice, GaussianMixture]]:
    """Fit one mixture to all scores, or one to those of each class; yield whose they are, and the mixture."""
    if labels is None:
        yield slice(None), _fit(scores, seed, max_samples, 'all samples')
        return
    for k in range(num_classes):
        members = np.flatnonzero(labels == k)
        if len(members) < 2:
            raise ValueError(
                f'class {k} has {len(members)} sample(s) with this given label; a GMM per class '
                'needs two or more in every class: use per_class=False'
            )
        yield members, _fit(scores[members], seed, max_samples, f'class {k}')


def _fit(scores: np.ndarray, seed: int, max_samples: int, where: str) -> GaussianMixture:
    if scores.min() == scores.max():
        raise ValueError(f'all {len(scores)} scores of {where} are equal ({scores[0]:g}): a GMM cannot be fitted')
    fitted = scores[:, None]
    if len(scores) > max_samples:
        fitted = np.random.default_rng(seed).choice(fitted, max_samples, replace=False)
    return GaussianMixture(n_components=2, random_state=seed).fit(fitted)


def _clean_responsibility(gmm: GaussianMixture, scores: np.ndarray, max_samples: int) -> np.ndarray:
    """Responsibility of the component with the higher mean, shape (N,)."""
    column, clean = scores[:, None], gmm.means_.argmax()
    # Piece by piece: scikit-learn keeps several tables of the length of what it is given.
    pieces = [column[start : start + max_samples] for start in range(0, len(column), max_samples)]
    return np.concatenate([gmm.predict_proba(piece)[:, clean] for piece in pieces])
