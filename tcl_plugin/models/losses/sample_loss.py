# SPDX-License-Identifier: Apache-2.0
"""What losses that are a mean over samples have in common."""

from abc import ABC, abstractmethod

import torch.nn.functional as F
from mmpretrain.models.losses.utils import weight_reduce_loss
from torch import Tensor, nn


class SampleLoss(nn.Module, ABC):
    """Base of losses that have one value for each sample, called as mmpretrain calls its losses.

    Any head that takes ``loss=dict(type=...)`` can use them, ``LinearClsHead`` among them.

    Args:
        loss_weight (float): Weight of the loss. Defaults to 1.0.
        reduction (str): ``'mean'``, ``'sum'`` or ``'none'``. Defaults to ``'mean'``.

    Raises:
        ValueError: If ``reduction`` is none of the three.
    """

    def __init__(self, loss_weight: float = 1.0, reduction: str = 'mean') -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.reduction = _check_reduction('reduction', reduction)

    def forward(
        self,
        cls_score: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Loss of a batch.

        Args:
            cls_score (Tensor): Logits, shape (B, K).
            target (Tensor): Labels, int64, shape (B,), or probabilities, shape (B, K).
            weight (Tensor, optional): Weight of each sample, shape (B,). Defaults to None.
            avg_factor (float, optional): Divisor of the mean. Defaults to None, for B.
            reduction_override (str, optional): Takes the place of ``reduction``. Defaults to None.

        Returns:
            Tensor: Scalar, or shape (B,) where nothing is reduced.

        Raises:
            ValueError: If ``reduction_override`` is no reduction.
        """
        reduction = _check_reduction('reduction_override', reduction_override or self.reduction)
        # Powers and logarithms are not for half precision.
        logits = cls_score.float()
        each = self.each_label(logits, target) if target.ndim == 1 else self.each(logits, target.to(logits.dtype))
        return self.loss_weight * weight_reduce_loss(each, weight, reduction, avg_factor)

    def each_label(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Loss of each sample by its label: :meth:`each` of one-hot rows, where a loss knows no shorter way.

        Args:
            logits (Tensor): float32, shape (B, K).
            labels (Tensor): int64, shape (B,).

        Returns:
            Tensor: Shape (B,).
        """
        return self.each(logits, F.one_hot(labels, logits.size(1)).to(logits.dtype))

    @abstractmethod
    def each(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of each sample.

        Args:
            logits (Tensor): float32, shape (B, K).
            target (Tensor): Probabilities, float32, shape (B, K).

        Returns:
            Tensor: Shape (B,).
        """


def _check_reduction(name: str, reduction: str) -> str:
    if reduction not in ('mean', 'sum', 'none'):
        raise ValueError(f"{name} must be 'mean', 'sum' or 'none', got {reduction!r}")
    return reduction
