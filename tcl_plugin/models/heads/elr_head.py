# SPDX-License-Identifier: Apache-2.0
"""Early-learning regularisation."""

from typing import Any

import torch
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ...structures import SampleBatch, labels_of
from ..sample_rows import RemembersSamples

# Probabilities are kept away from 0 and 1 by so much, as in the published code.
MARGIN = 1e-4


@MODELS.register_module()
class ELRHead(RemembersSamples, LinearClsHead):
    r"""Linear classifier that is held to its own earlier predictions.

    .. math::
        t_i \leftarrow \beta\, t_i + (1-\beta)\, \frac{p_i}{\sum_k p_{ik}}, \qquad
        L = L_{CE} + \frac{\lambda}{B} \sum_i \log(1 - \langle t_i, p_i \rangle)

    (Sections 4.1 and 4.2 of the paper.) :math:`p_i` is the prediction, kept in [1e-4, 1 - 1e-4]; no
    gradient flows into the running average :math:`t_i`, which starts at 0 and is renewed each time
    the sample is met, before the loss is taken.

    The table of all :math:`t_i`, N x K, is no function of the weights, so that it has to survive a
    resumption. It is not in the model's ``state_dict``, because a checkpoint must load for inference
    whatever N was: :class:`SampleStateHook` makes it, writes it beside the weights, and brings the
    processes' rows together. The config needs ``custom_hooks = [dict(type='SampleStateHook')]``.

    Liu et al.: Early-Learning Regularization Prevents Memorization of Noisy Labels, NeurIPS 2020,
    https://arxiv.org/abs/2007.00151

    Args:
        num_classes (int): Number of classes K.
        in_channels (int): Length of the feature vectors.
        beta (float): :math:`\beta` in [0, 1). Defaults to 0.7, for CIFAR-10 under symmetric noise;
            0.9 for asymmetric noise and for CIFAR-100.
        lam (float): :math:`\lambda`. Defaults to 3.0, for CIFAR-10 under symmetric noise; 1 for
            asymmetric noise, 7 for CIFAR-100.
        **kwargs: Other arguments of ``LinearClsHead``. Its ``loss`` takes the place of
            :math:`L_{CE}`; ``cal_acc`` has no effect.

    Raises:
        ValueError: If ``beta`` lies outside [0, 1), or ``lam`` is negative.
    """

    def __init__(self, num_classes: int, in_channels: int, beta: float = 0.7, lam: float = 3.0, **kwargs: Any) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        if not 0 <= beta < 1:
            raise ValueError(f'beta must lie in [0, 1), got {beta}')
        if lam < 0:
            raise ValueError(f'lam must not be negative, got {lam}')
        self.beta = beta
        self.lam = lam
        self.state_columns = num_classes

    def _get_loss(
        self, cls_score: Tensor, data_samples: SampleBatch | list[DataSample], **kwargs: Any
    ) -> dict[str, Tensor]:
        """Cross-entropy and the regulariser; ``ClsHead.loss`` calls this."""
        labels = labels_of(data_samples, cls_score.device)
        loss = self.loss_module(cls_score, labels, avg_factor=len(labels), **kwargs)
        probs = cls_score.float().softmax(dim=1).clamp(MARGIN, 1 - MARGIN)
        averages = self.renew(probs.detach(), data_samples)
        return dict(loss_ce=loss, loss_elr=self.lam * (1 - (averages * probs).sum(dim=1)).log().mean())

    @torch.no_grad()
    def renew(self, probs: Tensor, data_samples: SampleBatch | list[DataSample]) -> Tensor:
        """Renew the running averages of a batch.

        Args:
            probs (Tensor): Predictions, shape (B, K).
            data_samples (SampleBatch | list[DataSample]): The batch.

        Returns:
            Tensor: Its running averages :math:`t_i`, shape (B, K).

        Raises:
            RuntimeError: If there is no table yet.
            ValueError: If the table has no row for a sample.
        """
        rows = self._rows_of(data_samples)
        assert self.sample_state is not None  # _rows_of has seen to that
        averages = self.beta * self.sample_state[rows] + (1 - self.beta) * probs / probs.sum(dim=1, keepdim=True)
        self.sample_state[rows] = averages
        return averages
