# SPDX-License-Identifier: Apache-2.0
"""Losses that are bounded, or nearly so, where the given label is wrong."""

from typing import Any

from mmpretrain.registry import MODELS
from torch import Tensor

from .sample_loss import SampleLoss


@MODELS.register_module()
class GeneralizedCrossEntropyLoss(SampleLoss):
    r"""Generalised cross-entropy, between cross-entropy and mean absolute error.

    .. math:: L_q(x, y) = \frac{1 - p_y(x)^q}{q}

    (Section 3.2 of the paper, without the truncation of section 3.3.) It tends to cross-entropy for
    :math:`q \to 0` and is half the absolute error for :math:`q = 1`. Of soft targets it is the
    mean over classes, weighted by the target.

    Zhang and Sabuncu: Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy
    Labels, NeurIPS 2018, https://arxiv.org/abs/1805.07836

    Args:
        q (float): :math:`q` in (0, 1]. Defaults to 0.7.
        **kwargs: Arguments of :class:`SampleLoss`.

    Raises:
        ValueError: If ``q`` lies outside (0, 1].

    Examples:
        >>> loss = GeneralizedCrossEntropyLoss()
        >>> loss(torch.zeros(1, 2), torch.tensor([0]))
        tensor(0.5492)
    """

    def __init__(self, q: float = 0.7, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < q <= 1:
            raise ValueError(f'q must lie in (0, 1], got {q}')
        self.q = q

    def each(self, logits: Tensor, target: Tensor) -> Tensor:
        """See :meth:`SampleLoss.each`."""
        # By the logarithm: the power itself has an infinite gradient where a probability underflows.
        powers = (self.q * logits.log_softmax(dim=1)).exp()
        return (target * (1 - powers)).sum(dim=1) / self.q


@MODELS.register_module()
class SymmetricCrossEntropyLoss(SampleLoss):
    r"""Symmetric cross-entropy: cross-entropy, and cross-entropy with target and prediction exchanged.

    .. math:: L = -\alpha \sum_k t_k \log p_k - \beta \sum_k p_k \log t_k

    (Section 3 of the paper.) Zero targets are raised to ``smallest_target``, so that of a hard
    label the second term is :math:`-A\beta\,(1 - p_y)` with :math:`A` = log(``smallest_target``).
    Its default is that of the published code.

    Wang et al.: Symmetric Cross Entropy for Robust Learning with Noisy Labels, ICCV 2019,
    https://arxiv.org/abs/1908.06112

    Args:
        alpha (float): Weight of cross-entropy. Defaults to 0.1, for CIFAR-10; 6 for CIFAR-100.
        beta (float): Weight of the exchanged term. Defaults to 1.0, for CIFAR-10; 0.1 for CIFAR-100.
        smallest_target (float): What stands for a target of zero, in (0, 1). Defaults to 1e-4.
        **kwargs: Arguments of :class:`SampleLoss`.

    Raises:
        ValueError: If a weight is negative, or ``smallest_target`` lies outside (0, 1).
    """

    def __init__(self, alpha: float = 0.1, beta: float = 1.0, smallest_target: float = 1e-4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if min(alpha, beta) < 0:
            raise ValueError(f'alpha and beta must not be negative, got {alpha} and {beta}')
        if not 0 < smallest_target < 1:
            raise ValueError(f'smallest_target must lie in (0, 1), got {smallest_target}')
        self.alpha = alpha
        self.beta = beta
        self.smallest_target = smallest_target

    def each(self, logits: Tensor, target: Tensor) -> Tensor:
        """See :meth:`SampleLoss.each`."""
        log_probs = logits.log_softmax(dim=1)
        forward = -(target * log_probs).sum(dim=1)
        log_target = target.clamp_min(self.smallest_target).log()
        exchanged = -(log_probs.exp() * log_target).sum(dim=1)
        return self.alpha * forward + self.beta * exchanged
