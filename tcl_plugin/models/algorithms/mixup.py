# SPDX-License-Identifier: Apache-2.0
"""Plain training on mixed images."""

from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models.heads import ClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ...structures import SampleBatch, labels_of
from ..utils import draw_mixing
from .fast_classifier import FastImageClassifier, has_plain_loss


@MODELS.register_module()
class MixupClassifier(FastImageClassifier):
    r"""Train on convex combinations of two images and of their labels.

    .. math::
        \tilde x_i = \lambda x_i + (1-\lambda) x_{j(i)}, \qquad
        \tilde y_i = \lambda y_i + (1-\lambda) y_{j(i)}

    with one :math:`\lambda \sim \mathrm{Beta}(\alpha,\alpha)` and one permutation :math:`j` for the
    batch (section 2 of the paper). :func:`draw_mixing` takes the larger of :math:`\lambda` and
    :math:`1-\lambda`; where :math:`j` is a random permutation, the batch of mixed images has the same
    distribution either way.

    mmpretrain's own ``Mixup`` belongs to data preprocessors that make a score for each sample. It
    goes neither with views that are cut on the device nor with data sets that stay there; this does.
    Any loss of the head that takes soft targets is mixed, too.

    Zhang et al.: mixup: Beyond Empirical Risk Minimization, ICLR 2018, https://arxiv.org/abs/1710.09412

    Args:
        *args: Arguments of :class:`FastImageClassifier`.
        mixup_alpha (float): :math:`\alpha`; 0 leaves images unmixed. Defaults to 1.0.
        **kwargs: Other arguments of :class:`FastImageClassifier`.

    Raises:
        ValueError: If ``mixup_alpha`` is negative, the head has not the plain loss of ``ClsHead``, or there are
            batch augmentations of mmpretrain besides.
    """

    def __init__(self, *args: Any, mixup_alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if mixup_alpha < 0:
            raise ValueError(f'mixup_alpha must not be negative, got {mixup_alpha}')
        if self.head is not None:  # get_model(..., head=None) leaves it out, to extract features
            self._check_head(type(self.head))
        self._refuse_batch_augments()
        self.mixup_alpha = mixup_alpha

    def _refuse_batch_augments(self) -> None:
        if getattr(self.data_preprocessor, 'batch_augments', None) is not None:
            raise ValueError(
                f'{type(self).__name__} mixes images itself, and would lose the labels that batch_augments '
                '(train_cfg, or SwitchRecipeHook) have mixed: leave them out'
            )

    def _check_head(self, head: type[ClsHead]) -> None:
        if not has_plain_loss(head):
            raise ValueError(
                f'{type(self).__name__} mixes labels for a head with the plain loss of ClsHead, such as '
                f'LinearClsHead, not for {head.__name__}'
            )

    def loss(self, inputs: Tensor, data_samples: SampleBatch | list[DataSample]) -> dict[str, Tensor]:
        """Losses of one training step.

        Args:
            inputs (Tensor): Images, shape (B, C, H, W).
            data_samples (SampleBatch | list[DataSample]): Given label and ``sample_idx`` of each.

        Returns:
            dict[str, Tensor]: The loss, and what :meth:`regularize` adds.

        Raises:
            ValueError: If the images come in several views, or ``SwitchRecipeHook`` has switched on batch
                augmentations where no :class:`LabelNoiseHook` has looked for them before.
        """
        self.check_one_view(inputs)
        self._refuse_batch_augments()
        targets = self.targets(inputs, data_samples)
        mixing = draw_mixing(len(inputs), self.mixup_alpha, inputs.device)
        logits = self.head(self.extract_feat(mixing(inputs)))
        loss = self.head.loss_module(logits, mixing(targets), avg_factor=len(logits))
        return dict(loss=loss, **self.regularize(logits))

    def targets(self, inputs: Tensor, data_samples: SampleBatch | list[DataSample]) -> Tensor:
        """Targets before mixing: the given labels.

        Args:
            inputs (Tensor): Images, shape (B, C, H, W).
            data_samples (SampleBatch | list[DataSample]): Their samples.

        Returns:
            Tensor: float32, shape (B, K); each row sums to 1.
        """
        return F.one_hot(labels_of(data_samples, inputs.device), self.head.num_classes).float()

    @torch.no_grad()
    def predicted_classes(self, inputs: Tensor) -> Tensor:
        """Classes that the network predicts for unmixed images, for targets that lean on them.

        The pass is in training mode, as in the published code of M-correction: it takes part in the
        running statistics of batch normalisation.

        Args:
            inputs (Tensor): Images, shape (B, C, H, W).

        Returns:
            Tensor: One-hot, float32, shape (B, K).
        """
        logits = self.head(self.extract_feat(inputs))
        # Weights that autocast keeps in half precision carry no gradient from here: the next pass makes its own.
        torch.clear_autocast_cache()
        return F.one_hot(logits.argmax(dim=1), logits.size(1)).float()

    def regularize(self, logits: Tensor) -> dict[str, Tensor]:
        """Further terms of the loss: none.

        Args:
            logits (Tensor): Logits of the mixed images, shape (B, K).

        Returns:
            dict[str, Tensor]: Scalars, by names that begin with ``loss_``.
        """
        return {}
