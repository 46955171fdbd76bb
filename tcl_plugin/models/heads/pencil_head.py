# SPDX-License-Identifier: Apache-2.0
"""PENCIL, or P-correction: labels that are learned along with the weights."""

from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ...structures import SampleBatch, labels_of
from ..sample_rows import CountsEpochs, RemembersSamples

# Factor of the given label, one-hot, with which its label distribution begins, as in the published code.
CERTAINTY = 10.0


@MODELS.register_module()
class PENCILHead(CountsEpochs, RemembersSamples, LinearClsHead):
    r"""Linear classifier that learns a label distribution of each sample along with the weights.

    The label distribution of sample i is :math:`d_i = \mathrm{softmax}(\tilde y_i)`, where :math:`\tilde y_i` begins
    as ten times the given label, one-hot. With predictions :math:`p_i` there are three phases:

    1. Warm-up: :math:`L_{CE}` with the given labels.
    2. Correction: weights and :math:`\tilde y_i` follow the gradient of

       .. math::
           L = \frac{1}{B} \sum_i \Bigl[ \frac{1}{K} \mathrm{KL}(p_i \| d_i) + \alpha\, C(d_i, y_i)
               + \frac{\beta}{K} H(p_i) \Bigr]

       :math:`C` keeps the distribution near the given label :math:`y_i`. A step of :math:`\tilde y_i` is
       :math:`\lambda` times the gradient of the bracket, so that it does not depend on the batch size.
    3. Fine-tuning: the first term alone; the distributions stay as they are.

    The published code hands :math:`d_i` to a cross-entropy that takes the softmax of it once more, and its values of
    :math:`\lambda` is for that: :math:`C = -\log \mathrm{softmax}(d_i)_y` by default. With
    ``double_softmax=False`` it is :math:`-\log d_{iy}`, whose gradient is larger.

    Divergence pulls a label towards the prediction with a weight of 1/K, and compatibility pulls it back with
    :math:`\alpha`. So where a distribution comes to rest depends on :math:`\alpha K`, and how fast on
    :math:`\lambda / K`. By a network that is certain of another class a distribution keeps
    :math:`d_{iy} \approx 1 - 1/(\alpha K)` for :math:`\alpha K > 2`: with the published :math:`\alpha` and ten classes
    0.73, so that the given label stays the likeliest. For :math:`\alpha K = 1` it gives way, and keeps about
    0.1 of ten classes, and less of more.

    :class:`SampleStateHook` looks after the table of :math:`\tilde y_i`, N x K, without its start; the config needs
    ``custom_hooks = [dict(type='SampleStateHook')]``.

    Yi and Wu: Probabilistic End-to-end Noise Correction for Learning with Noisy Labels, CVPR 2019,
    https://arxiv.org/abs/1903.07788

    Args:
        num_classes (int): Number of classes K.
        in_channels (int): Length of the feature vectors.
        warmup_epochs (int): Number of epochs of the first phase. Defaults to 70, of the 320 of the published schedule.
        correction_epochs (int): Number of epochs of the second phase. Defaults to 130, as published.
        alpha (float): :math:`\alpha`. Defaults to 0.4, as published.
        beta (float): :math:`\beta`. Defaults to 0.1, as published.
        label_lr (float): :math:`\lambda`. Defaults to 4.6875: the published 600 for the mean over a batch of 128.
        double_softmax (bool): See above. Defaults to True.
        **kwargs: Other arguments of ``LinearClsHead``. Its ``loss`` takes the place of
            :math:`L_{CE}`; ``cal_acc`` has no effect.

    Raises:
        ValueError: If a number is negative.
    """

    #: What it remembers is how far labels have been corrected, and so belongs to the given labels.
    corrects_labels = True

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        warmup_epochs: int = 70,
        correction_epochs: int = 130,
        alpha: float = 0.4,
        beta: float = 0.1,
        label_lr: float = 600 / 128,
        double_softmax: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        numbers = dict(warmup_epochs=warmup_epochs, correction_epochs=correction_epochs, alpha=alpha, beta=beta)
        for name, value in (numbers | dict(label_lr=label_lr)).items():
            if value < 0:
                raise ValueError(f'{name} must not be negative, got {value}')
        self.warmup_epochs = warmup_epochs
        self.correction_epochs = correction_epochs
        self.alpha = alpha
        self.beta = beta
        self.label_lr = label_lr
        self.double_softmax = double_softmax
        self.state_columns = num_classes

    def _get_loss(
        self, cls_score: Tensor, data_samples: SampleBatch | list[DataSample], **kwargs: Any
    ) -> dict[str, Tensor]:
        """The losses of the phase; ``ClsHead.loss`` calls this."""
        labels = labels_of(data_samples, cls_score.device)
        # Also in the warm-up, so that a missing hook is found out at once.
        rows = self._rows_of(data_samples)
        if self.in_warmup:
            return dict(loss_ce=self.loss_module(cls_score, labels, avg_factor=len(labels), **kwargs))
        log_probs = cls_score.float().log_softmax(dim=1)
        log_labels = self.log_distributions(rows, labels)
        size = log_probs.numel()  # B x K
        losses = dict(loss_kl=(log_probs.exp() * (log_probs - log_labels)).sum() / size)
        if self.epoch < self.warmup_epochs + self.correction_epochs:
            losses['loss_entropy'] = -self.beta * (log_probs.exp() * log_probs).sum() / size
            self.correct(rows, labels, log_probs.detach().exp(), log_labels.exp())
        return losses

    def log_distributions(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Label distributions of some samples.

        Args:
            rows (Tensor): Their indices, int64, shape (B,).
            labels (Tensor): Their given labels, int64, shape (B,).

        Returns:
            Tensor: :math:`\\log d_i`, float32, shape (B, K).
        """
        assert self.sample_state is not None  # _rows_of has seen to that
        return (self.sample_state[rows] + CERTAINTY * F.one_hot(labels, self.num_classes)).log_softmax(dim=1)

    @torch.no_grad()
    def correct(self, rows: Tensor, labels: Tensor, probs: Tensor, distributions: Tensor) -> None:
        """Take a step of the labels of a batch along their gradient.

        Args:
            rows (Tensor): Indices of the samples, int64, shape (B,).
            labels (Tensor): Given labels, int64, shape (B,).
            probs (Tensor): Predictions :math:`p_i`, shape (B, K).
            distributions (Tensor): Label distributions :math:`d_i`, shape (B, K).
        """
        assert self.sample_state is not None
        given = F.one_hot(labels, self.num_classes)
        compatibility = distributions - given
        if self.double_softmax:
            slope = distributions.softmax(dim=1) - given
            compatibility = distributions * (slope - (distributions * slope).sum(dim=1, keepdim=True))
        gradient = (distributions - probs) / self.num_classes + self.alpha * compatibility
        # A sample that is drawn twice takes both steps.
        self.sample_state.index_add_(0, rows, gradient, alpha=-self.label_lr)
