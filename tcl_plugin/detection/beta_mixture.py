# SPDX-License-Identifier: Apache-2.0
"""Wrong labels as the component of higher loss in a mixture of two beta distributions."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from mmpretrain.registry import TASK_UTILS
from scipy.special import betaln, logsumexp
from torch import Tensor

from .base import BaseDetector, LocalScores
from .degenerate import TRUST, DetectionWarning, check_finite
from .row_store import RowStore

# Losses are kept away from 0 and 1 by so much, where a beta density may be infinite.
MARGIN = 1e-4
# Least variance of a component, for losses that are all but equal.
LEAST_VARIANCE = 1e-8


@dataclass
class BetaMixture:
    """Two beta distributions over losses in [0, 1].

    Attributes:
        alpha (np.ndarray): First parameters, shape (2,).
        beta (np.ndarray): Second parameters, shape (2,).
        weight (np.ndarray): Shares of the components, which sum to 1, shape (2,).
    """

    alpha: np.ndarray
    beta: np.ndarray
    weight: np.ndarray

    def posterior(self, losses: np.ndarray) -> np.ndarray:
        """Probability of each component.

        Args:
            losses (np.ndarray): In [0, 1], shape (n,).

        Returns:
            np.ndarray: Shape (2, n); each column sums to 1.
        """
        x = np.clip(losses, MARGIN, 1 - MARGIN)
        alpha, beta = self.alpha[:, None], self.beta[:, None]
        log_density = (alpha - 1) * np.log(x) + (beta - 1) * np.log1p(-x) - betaln(alpha, beta)
        joint = np.log(self.weight)[:, None] + log_density
        return np.exp(joint - logsumexp(joint, axis=0))

    def noisy_probability(self, losses: np.ndarray) -> np.ndarray:
        """Probability of the component with the higher mean, which never falls towards higher losses.

        By the formula alone the wider component would take both ends, the lowest losses or the
        highest. So, seen from the mean of the other component, it does not rise again downwards,
        and does not fall again upwards.

        Args:
            losses (np.ndarray): In [0, 1], shape (n,).

        Returns:
            np.ndarray: Shape (n,).
        """
        means = self.alpha / (self.alpha + self.beta)
        noisy = means.argmax()
        grid = np.linspace(0, 1, 1001)
        found, turn = self.posterior(grid)[noisy], int(means.min() * 1000)
        least = np.minimum.accumulate(found[turn::-1])[::-1]  # from each point up to the mean
        most = np.maximum.accumulate(found[turn:])  # from the mean up to each point
        exact, place = self.posterior(losses)[noisy], np.asarray(losses) * 1000
        below = np.minimum(exact, least[np.clip(np.ceil(place), 0, turn).astype(int)])
        above = np.maximum(exact, most[np.clip(np.floor(place) - turn, 0, None).astype(int)])
        return np.where(place < turn, below, above)


def fit_beta_mixture(losses: np.ndarray, iterations: int = 10) -> BetaMixture:
    r"""Fit two beta distributions by expectation maximisation with weighted moments.

    With the responsibilities :math:`\gamma_{ik}` of the components,

    .. math::
        \bar\ell_k = \frac{\sum_i \gamma_{ik}\ell_i}{\sum_i \gamma_{ik}}, \quad
        s_k^2 = \frac{\sum_i \gamma_{ik}(\ell_i-\bar\ell_k)^2}{\sum_i \gamma_{ik}}, \quad
        \alpha_k = \bar\ell_k\left(\frac{\bar\ell_k(1-\bar\ell_k)}{s_k^2} - 1\right), \quad
        \beta_k = \frac{\alpha_k(1-\bar\ell_k)}{\bar\ell_k}

    and shares :math:`\frac1n\sum_i\gamma_{ik}`, beginning with :math:`\alpha = (1, 2)`,
    :math:`\beta = (2, 1)` and equal shares (Arazo et al., ICML 2019, section 3.1,
    https://arxiv.org/abs/1904.11238). Moments do not maximise the likelihood: of components far
    apart, hundreds of steps may end with two that are equal. The published ten mostly keep them apart.

    Args:
        losses (np.ndarray): In [0, 1], shape (n,).
        iterations (int): Number of steps. Defaults to 10.

    Returns:
        BetaMixture: The mixture.

    Example:
        >>> mixture = fit_beta_mixture(np.array([0.1, 0.12, 0.15, 0.8, 0.85, 0.9]))
        >>> mixture.noisy_probability(np.array([0.1, 0.5, 0.9])).round()
        array([0., 1., 1.])
    """
    x = np.clip(np.asarray(losses, dtype=np.float64), MARGIN, 1 - MARGIN)
    mixture = BetaMixture(np.array([1.0, 2.0]), np.array([2.0, 1.0]), np.array([0.5, 0.5]))
    for _ in range(iterations):
        # Not 0, so that no component is left without samples.
        share = np.maximum(mixture.posterior(x), 1e-12)
        total = share.sum(axis=1)
        mean = share @ x / total
        variance = np.maximum((share * (x - mean[:, None]) ** 2).sum(axis=1) / total, LEAST_VARIANCE)
        alpha = mean * (mean * (1 - mean) / variance - 1)
        mixture = BetaMixture(alpha, alpha * (1 - mean) / mean, total / total.sum())
    return mixture


@TASK_UTILS.register_module()
class BetaMixtureDetector(BaseDetector):
    r"""Label noise as the component of higher loss in a mixture of two betas, as in M-correction.

    The loss of a sample is the cross-entropy of its given label, :math:`\ell_i = -\log p(y_i|x_i)`.
    Losses are brought to [0, 1] between their 5th and their 95th percentile; to those between the
    two :func:`fit_beta_mixture` fits the mixture. The clean probability is one minus the
    posterior of the component with the higher mean. (Arazo et al.: Unsupervised Label Noise Modeling
    and Loss Correction, ICML 2019, section 3.1, https://arxiv.org/abs/1904.11238)

    The score is :math:`p(y_i|x_i)`, of the same order as :math:`-\ell_i`, but in [0, 1]. It makes no
    prototypes.

    Args:
        iterations (int): Steps of the fit. Defaults to 10.
        outliers (float): Share of samples at each end, in [0, 0.5), that the fit leaves out. Defaults
            to 0.05.

    Raises:
        ValueError: If ``iterations`` is less than 1, or ``outliers`` lies outside [0, 0.5).
    """

    def __init__(self, iterations: int = 10, outliers: float = 0.05) -> None:
        if iterations < 1:
            raise ValueError(f'iterations must be 1 or more, got {iterations}')
        if not 0 <= outliers < 0.5:
            raise ValueError(f'outliers must lie in [0, 0.5), got {outliers}')
        self.iterations = iterations
        self.outliers = outliers
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._scores = RowStore(torch.float32)

    def update(self, features: Tensor, probs: Tensor, labels: Tensor) -> None:
        """Take in one batch; see :meth:`BaseDetector.update`."""
        self._scores.append(probs.gather(1, labels[:, None]).squeeze(1))

    def compute(self) -> LocalScores:
        """Scores of this process's samples.

        Returns:
            LocalScores: Scores :math:`p(y_i|x_i)`.

        Raises:
            ValueError: If this process has not taken in any sample.
        """
        if not len(self._scores):
            raise ValueError('BetaMixtureDetector.compute() without samples: call update() first')
        return LocalScores(torch.cat(list(self._scores)))

    def clean_probability(self, scores: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
        """One minus the posterior of the component of higher loss.

        Where losses between the percentiles are all equal, or the components have the same mean, or are so
        much alike that no label at all would be trusted, all labels get 1, and a :class:`DetectionWarning`
        says so.

        Raises:
            ValueError: If a score is NaN or infinite.
        """
        scores = check_finite(scores)
        # A probability that has underflowed to 0 is taken for the smallest of its type.
        losses = -np.log(np.maximum(scores, np.finfo(np.float32).tiny))
        low, high = np.quantile(losses, [self.outliers, 1 - self.outliers])
        if low == high:
            return _trust_all(losses, 'are all equal but for outliers')
        scaled = (losses - low) / (high - low)
        inside = scaled[(scaled >= 0) & (scaled <= 1)]
        if not len(inside):  # of two samples both are outliers
            inside = np.clip(scaled, 0, 1)
        mixture = fit_beta_mixture(inside, self.iterations)
        means = mixture.alpha / (mixture.alpha + mixture.beta)
        if abs(means[0] - means[1]) <= MARGIN:
            return _trust_all(losses, 'give two components with the same mean')
        noisy = mixture.noisy_probability(np.clip(scaled, 0, 1))
        if noisy.min() >= 0.5:
            return _trust_all(losses, 'give two components that are much the same')
        return 1 - noisy


def _trust_all(losses: np.ndarray, reason: str) -> np.ndarray:
    text = (
        f'the losses of {len(losses)} samples {reason}: right and wrong labels cannot be told apart, and are trusted'
    )
    warnings.warn(DetectionWarning('no two components', text), stacklevel=3)
    return np.full(len(losses), TRUST)
