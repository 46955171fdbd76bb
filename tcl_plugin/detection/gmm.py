# SPDX-License-Identifier: Apache-2.0
"""From a score for each given label to the probability that the label is right."""

import numpy as np
from sklearn.mixture import GaussianMixture


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
    scores = np.asarray(scores, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise ValueError(
            f'{len(bad)} of {len(scores)} scores are NaN or infinite, the first at sample '
            f'{bad[0]} (value {scores[bad[0]]})'
        )
    # Scaled over the whole set also where mixtures are per class: GaussianMixture adds a constant
    # to its variances (reg_covar), so its result depends on the scale of what it is given.
    scaled = _scale_to_unit(scores)
    if labels is None:
        return _clean_responsibility(scaled, seed, max_samples, 'all samples')
    clean_prob = np.empty_like(scaled)
    for k in range(num_classes):
        members = np.flatnonzero(labels == k)
        if len(members) < 2:
            raise ValueError(
                f'class {k} has {len(members)} sample(s) with this given label; a GMM per class '
                'needs two or more in every class: use per_class=False'
            )
        clean_prob[members] = _clean_responsibility(scaled[members], seed, max_samples, f'class {k}')
    return clean_prob


def _scale_to_unit(scores: np.ndarray) -> np.ndarray:
    """Bring scores to [0, 1]."""
    low, high = scores.min(), scores.max()
    if low == high:
        raise ValueError(
            f'all {len(scores)} scores are equal ({low:g}): right and wrong labels cannot be told '
            'apart (has the network collapsed to one prediction?)'
        )
    return (scores - low) / (high - low)


def _clean_responsibility(scores: np.ndarray, seed: int, max_samples: int, where: str) -> np.ndarray:
    """Responsibility of the component with the higher mean, shape (N,)."""
    if scores.min() == scores.max():
        raise ValueError(f'all {len(scores)} scores of {where} are equal ({scores[0]:g}): a GMM cannot be fitted')
    column = fitted = scores[:, None]
    if len(scores) > max_samples:
        fitted = np.random.default_rng(seed).choice(column, max_samples, replace=False)
    gmm = GaussianMixture(n_components=2, random_state=seed).fit(fitted)
    clean = gmm.means_.argmax()
    # Piece by piece: scikit-learn keeps several tables of the length of what it is given.
    pieces = [column[start : start + max_samples] for start in range(0, len(column), max_samples)]
    return np.concatenate([gmm.predict_proba(piece)[:, clean] for piece in pieces])
