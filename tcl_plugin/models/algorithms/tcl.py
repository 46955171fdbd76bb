# SPDX-License-Identifier: Apache-2.0
"""Twin contrastive learning with noisy labels."""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import torch
from mmengine.logging import print_log
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ...structures import SampleBatch
from ..heads.tcl_head import TCLHead
from ..utils import draw_mixing
from .fast_classifier import FastImageClassifier


@MODELS.register_module()
class TCL(FastImageClassifier):
    r"""Twin contrastive learning with noisy labels.

    One training step, for a batch of B images, each seen in a weak view :math:`x^w` and two strong
    ones :math:`x^1, x^2`:

    1. *Mixup* (paper, Eq. 9): one :math:`\lambda` mixes the 3B views among themselves.
    2. *One pass* of backbone and neck over strong and mixed views together.
    3. *Losses*, all in :class:`TCLHead`: cross-supervision of the strong views, their contrast,
       entropy regularisation, and alignment of the mixed views.

    Once an epoch :class:`LabelNoiseHook` finds out which labels to trust (paper, section 3.2), and
    tells the head. Prediction, feature extraction and test-time augmentation are those of any
    ``ImageClassifier``.

    Huang, Zhang and Shan: Twin Contrastive Learning with Noisy Labels, CVPR 2023,
    https://arxiv.org/abs/2303.06930

    Args:
        backbone (dict): Config of any registered backbone.
        neck (dict, optional): Config of the neck. Defaults to None.
        head (dict, optional): Config of the head, a :class:`TCLHead`; its ``loss`` has no effect here. Defaults to
            None.
        mixup_alpha (float): :math:`\alpha` of :math:`\lambda\sim\mathrm{Beta}(\alpha,\alpha)`; 0
            leaves the views unmixed. Defaults to 1.0.
        forward_weak (bool): Whether the weak views pass the network too, as in the published code.
            They enter no loss but take part in batch statistics, those of the head
            included, and cost a sixth of the time.
            Defaults to False.
        data_preprocessor (dict, optional): Config of the data preprocessor. Its ``type`` defaults
            to :class:`MultiViewDataPreprocessor`.
        **kwargs: Other arguments of :class:`FastImageClassifier`.

    Raises:
        ValueError: If ``mixup_alpha`` is negative.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict | None = None,
        head: dict | None = None,
        mixup_alpha: float = 1.0,
        forward_weak: bool = False,
        data_preprocessor: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if mixup_alpha < 0:
            raise ValueError(f'mixup_alpha must not be negative, got {mixup_alpha}')
        if data_preprocessor is None or isinstance(data_preprocessor, dict):
            data_preprocessor = {'type': 'MultiViewDataPreprocessor', **(data_preprocessor or {})}
        super().__init__(backbone=backbone, neck=neck, head=head, data_preprocessor=data_preprocessor, **kwargs)
        self.mixup_alpha = mixup_alpha
        self.forward_weak = forward_weak
        self._warn_of_loss(head)

    def _warn_of_loss(self, head: dict | None) -> None:
        """Say that a ``loss`` of the head has no effect, unless the head is one of a person's own that may use it."""
        names = ('loss', 'loss_from_outputs')
        own = any(getattr(type(self.head), name, None) is not getattr(TCLHead, name) for name in names)
        if isinstance(head, dict) and head.get('loss') is not None and not own:
            print_log(
                f'{type(self).__name__} has losses of its own, and model.head.loss has no effect: it is for '
                'TCLPlus, the second stage. Leave it out',
                logger='current',
                level=logging.WARNING,
            )

    # Views of the images, where the parent takes the images.
    def loss(  # type: ignore[override]
        self, inputs: Sequence[Tensor], data_samples: SampleBatch | list[DataSample]
    ) -> dict[str, Tensor]:
        """Losses of one training step.

        Args:
            inputs (Sequence[Tensor]): Weak view and two strong views, each (B, C, H, W).
            data_samples (list[DataSample]): Given label and ``sample_idx`` of each image.

        Returns:
            dict[str, Tensor]: The losses, see :meth:`TCLHead.loss`.

        Raises:
            ValueError: If there are not three views.
        """
        weak, strong1, strong2 = self._three_views(inputs)
        mixing = draw_mixing(3 * len(weak), self.mixup_alpha, weak.device)
        mixed = mixing(torch.cat([weak, strong1, strong2]))
        unused = [weak] if self.forward_weak else []
        feats = self.extract_feat(torch.cat([*unused, strong1, strong2, mixed]))
        return self.head.loss(feats, data_samples, mixing=mixing, contrast=self.contrast(strong1, strong2))

    def contrast(self, strong1: Tensor, strong2: Tensor) -> Callable[[Tensor, Tensor], Tensor] | None:
        """What contrasts the projections of the two strong views.

        Args:
            strong1 (Tensor): First strong view, shape (B, C, H, W).
            strong2 (Tensor): Second strong view, shape (B, C, H, W).

        Returns:
            Callable, optional: See :meth:`TCLHead.loss`. None, for :func:`info_nce`, as in SimCLR.
        """
        return None

    def forward(
        self,
        inputs: Tensor | Sequence[Tensor],
        data_samples: SampleBatch | list[DataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """See ``ImageClassifier.forward``; without losses, several views are one large batch.

        Args:
            inputs (Tensor | Sequence[Tensor]): Images, shape (B, C, H, W), or views of that shape.
            data_samples (SampleBatch | list[DataSample], optional): Their samples. Defaults to None.
            mode (str): ``'tensor'``, ``'predict'`` or ``'loss'``. Defaults to ``'tensor'``.

        Returns:
            Any: See ``ImageClassifier.forward``.
        """
        if mode == 'tensor' and not isinstance(inputs, Tensor):
            # PreciseBNHook puts training batches through the network as they are.
            inputs = torch.cat(list(inputs))
        return super().forward(inputs, data_samples, mode)

    @staticmethod
    def _three_views(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        if isinstance(inputs, Tensor) and inputs.ndim == 5:
            raise ValueError(
                f'TCL takes its views one by one, and another data preprocessor has stacked them to '
                f'{tuple(inputs.shape)}: leave data_preprocessor.type out, or set it to MultiViewDataPreprocessor'
            )
        if isinstance(inputs, Tensor) or len(inputs) != 3:
            got = tuple(inputs.shape) if isinstance(inputs, Tensor) else f'{len(inputs)} views'
            raise ValueError(
                f'TCL trains on three views of each image (weak, strong, strong), got {got}: the '
                "training pipeline needs dict(type='MultiView', num_views=[1, 2], "
                'transforms=[weak, strong]) before PackInputs'
            )
        return inputs
