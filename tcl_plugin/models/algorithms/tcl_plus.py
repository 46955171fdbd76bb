# SPDX-License-Identifier: Apache-2.0
"""The second stage of TCL+."""

from typing import Any

import torch.nn.functional as F
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ...structures import SampleBatch
from ..losses import correct_labels
from ..sample_rows import rows_of
from .mixup import MixupClassifier


@MODELS.register_module()
class TCLPlus(MixupClassifier):
    r"""Train the classifier of TCL further, on labels that TCL has corrected.

    .. math::
        L = \lambda\,\big[(1-B)\,\ell(\hat y_i) + B\,\ell(z_i)\big]
          + (1-\lambda)\,\big[(1-B)\,\ell(\hat y_j) + B\,\ell(z_j)\big]

    :math:`\hat y` are the labels that :class:`RelabelHook` has given once, before the first epoch;
    :math:`\ell` is the cross-entropy of the mixed weak views, :math:`z_i` the class that the network
    predicts for the unmixed image. B is 0 at first, and ``bootstrap_weight`` from
    ``bootstrap_epoch`` on: hard bootstrapping (https://arxiv.org/abs/1412.6596, section 3).

    It starts from a checkpoint of TCL (``load_from``) and trains backbone and classifier; the
    projector stays as it is. The facts are those of the published code, which ships no config for it;
    its moving average of weights, off by default, is :class:`EMAHook` here, by which :math:`z_i` still
    comes from the weights that are trained.

    Args:
        *args: Arguments of :class:`FastImageClassifier`; the head is a :class:`TCLHead`.
        mixup_alpha (float): See :class:`MixupClassifier`. Defaults to 1.0.
        bootstrap_epoch (int): Number of epochs without bootstrapping. Defaults to 30.
        bootstrap_weight (float): B afterwards, in [0, 1]. Defaults to 0.2.
        **kwargs: Other arguments of :class:`FastImageClassifier`.

    Raises:
        ValueError: If the head has no projector, or an argument is out of its range.
    """

    def __init__(
        self,
        *args: Any,
        mixup_alpha: float = 1.0,
        bootstrap_epoch: int = 30,
        bootstrap_weight: float = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, mixup_alpha=mixup_alpha, **kwargs)
        if bootstrap_epoch < 0:
            raise ValueError(f'bootstrap_epoch must not be negative, got {bootstrap_epoch}')
        if not 0 <= bootstrap_weight <= 1:
            raise ValueError(f'bootstrap_weight must lie in [0, 1], got {bootstrap_weight}')
        self.bootstrap_epoch = bootstrap_epoch
        self.bootstrap_weight = bootstrap_weight
        self.labels: Tensor | None = None  # a plain attribute: RelabelHook saves it
        if self.head is not None:
            self.head.projector.requires_grad_(False)

    def _check_head(self, head: type) -> None:
        if not hasattr(self.head, 'projector'):
            raise ValueError(f'TCLPlus goes on from TCL and needs its head, a TCLHead, got {head.__name__}')

    def set_labels(self, labels: Tensor) -> None:
        """Take over corrected labels.

        Args:
            labels (Tensor): Of every training sample, by index, int64, shape (N,).

        Raises:
            ValueError: If they have another shape.
        """
        if labels.ndim != 1:
            raise ValueError(f'labels must have shape (N,), got {tuple(labels.shape)}')
        self.labels = labels.to(self.head.prototypes.device)

    def targets(self, inputs: Tensor, data_samples: SampleBatch | list[DataSample]) -> Tensor:
        """Targets before mixing: corrected labels, and later predictions beside them.

        Args:
            inputs (Tensor): Weak views, shape (B, C, H, W).
            data_samples (SampleBatch | list[DataSample]): Their samples.

        Returns:
            Tensor: float32, shape (B, K); each row sums to 1.

        Raises:
            RuntimeError: If nobody has called :meth:`set_labels`.
            ValueError: If a sample has no label.
        """
        if self.labels is None:
            raise RuntimeError(
                'TCLPlus has no corrected labels: the hook is missing. Add '
                "dict(type='RelabelHook', detector=dict(type='OODDetector')) to custom_hooks of the config"
            )
        labels = self.labels[rows_of(self.labels, data_samples, 'RelabelHook')]
        onehot = F.one_hot(labels, self.head.num_classes).float()
        if self.head.epoch < self.bootstrap_epoch:
            return onehot
        trust = onehot.new_full((len(labels),), 1 - self.bootstrap_weight)
        return correct_labels(labels, trust, self.predicted_classes(inputs))
