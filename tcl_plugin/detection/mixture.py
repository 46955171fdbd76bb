# SPDX-License-Identifier: Apache-2.0
"""Each class as a Gaussian over unit-length representations."""

import mmengine.dist as dist
import torch
import torch.nn.functional as F
from torch import Tensor


def class_means(weighted_sums: Tensor) -> Tensor:
    r"""Prototypes of the class mixture (paper, Eq. 3).

    .. math::
        \mu_k = \mathrm{norm}\left(\frac{\sum_i p(y_i=k|x_i)\, v_i}
                                        {\sum_i p(y_i=k|x_i)}\right)

    The denominator only scales the vector that is then brought to unit length, so the sums alone
    are enough.

    Args:
        weighted_sums (Tensor): :math:`\sum_i p(y_i=k|x_i)\, v_i`, shape (K, D).

    Returns:
        Tensor: Unit-length class means, shape (K, D).
    """
    return F.normalize(weighted_sums, dim=1)


def class_variances(weighted_sums: Tensor, weights: Tensor, means: Tensor) -> Tensor:
    r"""Isotropic spread of each class (paper, Eq. 4).

    .. math::
        \sigma_k = \frac{\sum_i p(y_i=k|x_i)\, \lVert v_i-\mu_k \rVert^2}
                        {\sum_i p(y_i=k|x_i)}

    The paper divides the inner product :math:`v_i^\top\mu_k` by :math:`\sigma_k`, so
    :math:`\sigma_k` is read as a scalar: the expected squared distance to the class mean. For
    vectors and means of unit length it equals :math:`2 - 2\mu_k^\top\bar v_k`, which needs the
    weighted sums only and no second pass over the data.

    Args:
        weighted_sums (Tensor): :math:`\sum_i p(y_i=k|x_i)\, v_i`, shape (K, D).
        weights (Tensor): :math:`\sum_i p(y_i=k|x_i)`, shape (K,).
        means (Tensor): Unit-length class means, shape (K, D).

    Returns:
        Tensor: :math:`\sigma_k` in (0, 4], shape (K,); at least 1e-6, so that one can divide by it.
    """
    smallest = torch.finfo(weights.dtype).tiny
    average = weighted_sums / weights.clamp_min(smallest).unsqueeze(1)
    return (2 - 2 * (average * means).sum(dim=1)).clamp_min(1e-6)


def posterior(features: Tensor, means: Tensor, sigma: float | Tensor) -> Tensor:
    r"""Probability of each class given the representation (paper, Eq. 5).

    .. math::
        p(z_i=k|x_i) = \frac{\exp(v_i^\top\mu_k/\sigma_k)}
                            {\sum_{k'}\exp(v_i^\top\mu_{k'}/\sigma_{k'})}

    Args:
        features (Tensor): Unit-length representations, shape (N, D).
        means (Tensor): Unit-length class means, shape (K, D).
        sigma (float | Tensor): One spread for all classes, or one for each, shape (K,).

    Returns:
        Tensor: Posterior, shape (N, K); each row sums to 1.
    """
    return (features @ means.t() / sigma).softmax(dim=1)


class ClassSums:
    r"""Adds up :math:`\sum_i p(y_i=k|x_i)\, v_i` and :math:`\sum_i p(y_i=k|x_i)` batch by batch (paper, Eqs. 3 and 4).

    In float64, so that the sums do not depend on how the samples were dealt out to processes.

    Attributes:
        sums (Tensor, optional): Weighted sums of representations, float64, shape (K, D); None before the first batch.
        weights (Tensor, optional): Sums of weights, float64, shape (K,).
    """

    def __init__(self) -> None:
        self.sums: Tensor | None = None
        self.weights: Tensor | None = None

    def update(self, features: Tensor, probs: Tensor) -> None:
        """Add one batch.

        Args:
            features (Tensor): Unit-length representations, shape (B, D).
            probs (Tensor): Predictions of the classifier, shape (B, K).
        """
        if self.sums is None or self.weights is None:
            self.sums = features.new_zeros(probs.size(1), features.size(1), dtype=torch.float64)
            self.weights = features.new_zeros(probs.size(1), dtype=torch.float64)
        self.sums += probs.double().t() @ features.double()
        self.weights += probs.double().sum(dim=0)

    def reduce(self) -> Tensor:
        """Add the sums of all processes to each.

        Returns:
            Tensor: Class means, float64, shape (K, D); see :func:`class_means`.

        Raises:
            ValueError: If this process has not taken in any sample.
        """
        if self.sums is None:
            raise ValueError('a detector needs samples before compute(): call update() first')
        dist.all_reduce(self.sums)
        dist.all_reduce(self.weights)
        return class_means(self.sums)
