# SPDX-License-Identifier: Apache-2.0
"""A linear classifier that is told which labels to trust."""

from typing import Any

from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import MODELS
from torch import Tensor

from ..sample_rows import TrustsLabels


@MODELS.register_module()
class MCorrectionHead(TrustsLabels, LinearClsHead):
    """Linear classifier of :class:`MCorrection`, which keeps what :class:`LabelNoiseHook` tells.

    Clean probabilities are not among the weights: the hook saves them beside the weights, and tells
    them to a resumed run.

    Args:
        num_classes (int): Number of classes K.
        in_channels (int): Length of the feature vectors.
        warmup_epochs (int): Number of epochs that trust the given labels. Defaults to 105, of the 300
            of the published schedule.
        **kwargs: Other arguments of ``LinearClsHead``.

    Raises:
        ValueError: If ``warmup_epochs`` is negative.
    """

    detector_hint = 'BetaMixtureDetector'

    def __init__(self, num_classes: int, in_channels: int, warmup_epochs: int = 105, **kwargs: Any) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        if warmup_epochs < 0:
            raise ValueError(f'warmup_epochs must not be negative, got {warmup_epochs}')
        self.warmup_epochs = warmup_epochs

    def set_clean_prob(self, clean_prob: Tensor, prototypes: Tensor | None = None) -> None:
        """Take over what noise detection has found.

        Args:
            clean_prob (Tensor): Clean probability of every training sample, by index, shape (N,).
            prototypes (Tensor, optional): Class means, which this head has no use for.

        Raises:
            ValueError: If the shape does not fit.
        """
        self._keep_clean_prob(clean_prob)
