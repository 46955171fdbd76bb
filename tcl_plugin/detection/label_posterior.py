# SPDX-License-Identifier: Apache-2.0
"""How probable it is that a given label is right: what a person reads, whichever detector steers the training."""

import mmengine.dist as dist
import torch
from torch import Tensor

from .base import LocalScores, score_given_labels
from .row_store import RowStore

# Half-way between the two estimates of how labels go wrong; see LabelPosterior.
SHRINKAGE = 0.5
# The smallest number of half precision above 0; torch names the smallest of full accuracy, a thousand times as large.
SMALLEST_HALF = 2.0**-24


def estimate_transition(joint: Tensor) -> Tensor:
    r"""Estimate how labels go wrong.

    .. math::
        T = (1-s)\,\hat T + s\,U, \qquad \hat T_{kl} = \frac{J_{kl}}{\sum_{l'} J_{kl'}}

    U has the mean of the diagonal of :math:`\hat T` on its diagonal, and one value everywhere else:
    labels that go wrong at one rate, into any class. Predictions that confuse two classes look like
    labels that do, which the half with one rate (s = 0.5) makes up for.

    Args:
        joint (Tensor): :math:`J_{kl} = \sum_i p(k|x_i)\,[y_i=l]`, true class by given label, shape (K, K).

    Returns:
        Tensor: :math:`p(y=l \mid \text{true class } k)`, float64, shape (K, K); rows sum to 1.
    """
    size, joint = len(joint), joint.double()
    totals = joint.sum(dim=1, keepdim=True)
    # Of a class that nothing is predicted to be, nothing is known: its labels count as right.
    rates = torch.where(totals > 0, joint / totals.clamp_min(torch.finfo(joint.dtype).tiny), torch.eye(size).to(joint))
    kept = float(rates.diagonal().mean())
    uniform = torch.full_like(rates, (1 - kept) / max(1, size - 1))
    uniform.fill_diagonal_(kept)
    return (1 - SHRINKAGE) * rates + SHRINKAGE * uniform


class LabelPosterior:
    r"""Probability of each true class, given the prediction and the given label.

    .. math::
        p(k \mid x_i, y_i) = \frac{p(k|x_i)\, T_{k y_i}}{\sum_{k'} p(k'|x_i)\, T_{k' y_i}}

    by Bayes' rule, where :math:`p(k|x)` is the classifier's prediction and T how labels go wrong, estimated
    from the same predictions (:func:`estimate_transition`; counting given labels by predicted class is the
    idea of confident learning, `arXiv:1911.00068 <https://arxiv.org/abs/1911.00068>`_). It expects that a
    wrong label does not depend on the image beyond its true class, and a classifier that has not memorised
    its labels.

    Between processes travel K x K sums; each keeps the predictions of its own samples, in half precision,
    until all are known. docs/audit.md compares it with others.
    """

    def __init__(self) -> None:
        self._joint: Tensor | None = None
        self._probs = RowStore(torch.float16)
        self._labels = RowStore(torch.int64)

    def update(self, probs: Tensor, labels: Tensor) -> None:
        """Take in one batch.

        Args:
            probs (Tensor): Predictions of the classifier, shape (B, K).
            labels (Tensor): Given labels, shape (B,).
        """
        if self._joint is None:
            self._joint = probs.new_zeros(probs.size(1), probs.size(1), dtype=torch.float64)
        self._joint.t().index_add_(0, labels, probs.double())
        self._probs.append(probs)
        self._labels.append(labels)

    def compute(self) -> LocalScores:
        """Put all processes' samples together, and judge the labels of this process's.

        Returns:
            LocalScores: Probability that each given label is right, likeliest class and its probability.

        Raises:
            ValueError: If this process has not taken in any sample.
        """
        if self._joint is None:
            raise ValueError('the posterior of labels needs samples before compute(): call update() first')
        dist.all_reduce(self._joint)
        transition = estimate_transition(self._joint).float()
        pieces = zip(self._probs, self._labels, strict=True)
        return score_given_labels(
            ((self._posterior(probs.float(), transition[:, labels].t()), labels) for probs, labels in pieces),
            len(self._labels),
        )

    @staticmethod
    def _posterior(probs: Tensor, likelihood: Tensor) -> Tensor:
        # Half precision has no probabilities below 6e-8: no label is out of the question for that. A larger floor
        # would outweigh T where few labels are wrong, which is about as small. The sum is above 0, as the likeliest
        # class of a sample has had a part in the likelihood of its label.
        joint = probs.clamp_min(SMALLEST_HALF) * likelihood
        return joint / joint.sum(dim=1, keepdim=True)
