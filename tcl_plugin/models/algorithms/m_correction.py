# SPDX-License-Identifier: Apache-2.0
"""Mixup with bootstrapping by the clean probability of each label."""

from typing import Any

from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ...structures import SampleBatch, labels_of
from ..losses import correct_labels, divergence_from_uniform
from .mixup import MixupClassifier


@MODELS.register_module()
class MCorrection(MixupClassifier):
    r"""Mixup, in which labels that are probably wrong give way to predictions (M-DYR-H).

    .. math::
        L = \lambda\,\big[w_i\,\ell(y_i) + (1-w_i)\,\ell(z_i)\big]
          + (1-\lambda)\,\big[w_j\,\ell(y_j) + (1-w_j)\,\ell(z_j)\big] + \eta R

    averaged over the batch (section 3.3 of the paper). :math:`\ell` is the cross-entropy of the mixed
    image :math:`\lambda x_i + (1-\lambda) x_j`, :math:`z_i` the class that the network predicts for the
    unmixed image :math:`x_i`, :math:`w_i` the clean probability of its label :math:`y_i` (the paper's
    :math:`1 - p(k{=}1 \mid \ell_i)`), and R :func:`divergence_from_uniform` of the mixed images'
    predictions. During the warm-up of :class:`MCorrectionHead` it is plain mixup.

    :class:`LabelNoiseHook` finds the clean probabilities with a :class:`BetaMixtureDetector` after each
    epoch. (The published code puts the losses of the current weights through the mixture of the last
    epoch, which takes another forward pass at each step.)

    Arazo et al.: Unsupervised Label Noise Modeling and Loss Correction, ICML 2019,
    https://arxiv.org/abs/1904.11238

    Args:
        *args: Arguments of :class:`FastImageClassifier`; the head is a :class:`MCorrectionHead`.
        mixup_alpha (float): See :class:`MixupClassifier`. Defaults to 32.0.
        uniform_weight (float): :math:`\eta`. Defaults to 1.0.
        **kwargs: Other arguments of :class:`FastImageClassifier`.

    Raises:
        ValueError: If the head is told no clean probabilities, or ``uniform_weight`` is negative.
    """

    def __init__(self, *args: Any, mixup_alpha: float = 32.0, uniform_weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, mixup_alpha=mixup_alpha, **kwargs)
        if uniform_weight < 0:
            raise ValueError(f'uniform_weight must not be negative, got {uniform_weight}')
        self.uniform_weight = uniform_weight

    def _check_head(self, head: type) -> None:
        super()._check_head(head)
        if not hasattr(head, 'clean_prob_of'):
            raise ValueError(f'MCorrection needs a MCorrectionHead, got {head.__name__}')

    def targets(self, inputs: Tensor, data_samples: SampleBatch | list[DataSample]) -> Tensor:
        """Targets before mixing, between given labels and predicted classes.

        Args:
            inputs (Tensor): Images, shape (B, C, H, W).
            data_samples (SampleBatch | list[DataSample]): Their samples.

        Returns:
            Tensor: float32, shape (B, K); each row sums to 1.
        """
        clean_prob = self.head.clean_prob_of(data_samples)  # in the warm-up too, to miss the hook at once
        if self.head.in_warmup:
            return super().targets(inputs, data_samples)
        return correct_labels(labels_of(data_samples, inputs.device), clean_prob, self.predicted_classes(inputs))

    def regularize(self, logits: Tensor) -> dict[str, Tensor]:
        """The divergence of the mean prediction from uniform, after the warm-up.

        Args:
            logits (Tensor): Logits of the mixed images, shape (B, K).

        Returns:
            dict[str, Tensor]: ``loss_uniform``.
        """
        if self.head.in_warmup:
            return {}
        return dict(loss_uniform=self.uniform_weight * divergence_from_uniform(logits.float()))
