# SPDX-License-Identifier: Apache-2.0
"""A classifier whose backbone and neck run in half precision, and which can be compiled."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from mmengine.logging import print_log
from mmpretrain.models import ImageClassifier
from mmpretrain.models.heads import ClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ...compat import has_bfloat16
from ...errors import SEVERAL_VIEWS
from ...structures import SampleBatch


@MODELS.register_module()
class FastImageClassifier(ImageClassifier):
    """An ``ImageClassifier`` that makes better use of the hardware.

    Almost all of the work is in backbone and neck. They alone run in half precision; the head, the
    losses and everything that is measured stay in float32. Weights stay in float32, too, and
    checkpoints are those of an ``ImageClassifier``.

    Args:
        *args: Arguments of ``ImageClassifier``.
        bfloat16 (bool): Whether backbone and neck run in bfloat16, in training and evaluation,
            where the device has it. On others one line in the log says that they do not. Defaults
            to False.
        compile (bool | dict): Whether to compile the backbone, the neck and the networks of the
            head, or arguments of ``torch.compile``. Defaults to False.
        **kwargs: Other arguments of ``ImageClassifier``.
    """

    def __init__(self, *args: Any, bfloat16: bool = False, compile: bool | dict = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bfloat16 = bfloat16
        self._autocast: bool | None = None  # not known before the device is
        if compile is not False:
            # One by one: data samples, in the steps between, would break the graph anyway.
            networks = () if self.head is None else self.head.children()
            for module in (self.backbone, self.neck, *networks):
                if module is not None and any(True for _ in module.parameters()):
                    module.compile(**({} if compile is True else compile))

    def extract_feat(self, inputs: Tensor, stage: str = 'neck') -> tuple[Tensor, ...] | Tensor:
        """Features of a batch.

        Args:
            inputs (Tensor): Shape (B, C, H, W).
            stage (str): See ``ImageClassifier.extract_feat``. Defaults to ``'neck'``.

        Returns:
            tuple[Tensor, ...] | Tensor: Features, float32.
        """
        if stage == 'pre_logits':
            return self.head.pre_logits(self.extract_feat(inputs))
        with self.autocast(inputs.device):
            feats = super().extract_feat(inputs, stage)
        return _to_float(feats) if self._autocast else feats

    def autocast(self, device: torch.device) -> AbstractContextManager:
        """The precision of backbone and neck.

        Args:
            device (torch.device): The device that they are on.

        Returns:
            AbstractContextManager: A context, which leaves things as they are (automatic mixed
            precision of the runner too) where ``bfloat16`` is off or the device lacks it.
        """
        if self._autocast is None:
            self._autocast = self._choose_autocast(device)
        return torch.autocast(device.type, dtype=torch.bfloat16) if self._autocast else nullcontext()

    def loss(self, inputs: Tensor, data_samples: SampleBatch | list[DataSample]) -> dict[str, Tensor]:
        """Losses of one training step; see ``ImageClassifier.loss``.

        Args:
            inputs (Tensor): Images, shape (B, C, H, W).
            data_samples (SampleBatch | list[DataSample]): Given label of each.

        Returns:
            dict[str, Tensor]: The losses of the head.

        Raises:
            ValueError: If the images come in several views.
        """
        self.check_one_view(inputs)
        if isinstance(data_samples, SampleBatch) and has_plain_loss(type(self.head)):
            # It concatenates the labels of all samples. Another loss may count them, or ask each for its index.
            data_samples = [data_samples.as_one_sample()]
        return super().loss(inputs, data_samples)

    def check_one_view(self, inputs: Tensor | Sequence[Tensor]) -> None:
        """Refuse views that are meant for an algorithm such as TCL.

        Args:
            inputs (Tensor | Sequence[Tensor]): What the data preprocessor has made.

        Raises:
            ValueError: If it is several views of each image.
        """
        if not isinstance(inputs, Tensor) or inputs.ndim == 5:
            raise ValueError(SEVERAL_VIEWS.format(model=type(self).__name__, views=len(inputs)))

    def _choose_autocast(self, device: torch.device) -> bool:
        if self.bfloat16 and not has_bfloat16(device):
            print_log(f'{device} has no bfloat16: backbone and neck run in float32', logger='current')
            return False
        return self.bfloat16


def has_plain_loss(head: Any) -> bool:
    """Tell whether a head asks a batch for nothing but its labels, as ``ClsHead`` does.

    Args:
        head (type): Class of the head.

    Returns:
        bool: False if it has a ``loss`` or ``_get_loss`` of its own.
    """
    return issubclass(head, ClsHead) and (head.loss, head._get_loss) == (ClsHead.loss, ClsHead._get_loss)


def _to_float(feats: Tensor | tuple | None) -> Any:
    """Features of any nesting in float32; None, as InceptionV3 gives for an output that it lacks, stays None."""
    if feats is None:
        return None
    return feats.float() if isinstance(feats, Tensor) else tuple(_to_float(feat) for feat in feats)
