# SPDX-License-Identifier: Apache-2.0
"""A data preprocessor that knows batches of several views."""

from typing import Any

import torch
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.registry import MODELS

from ...structures import SampleBatch


@MODELS.register_module()
class MultiViewDataPreprocessor(ClsDataPreprocessor):
    """Normalise all views of a batch at once; a batch with one view passes as ever.

    Args:
        channels_last (bool): Whether to hand images on in channels-last memory format, in which
            convolutions run faster on most CPUs and GPUs. Values do not change. Defaults to False.
        **kwargs: Arguments of mmpretrain's ``ClsDataPreprocessor``.
    """

    def __init__(self, *args: Any, channels_last: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.channels_last = channels_last

    def forward(self, data: dict, training: bool = False) -> dict:
        """Normalise a batch.

        Args:
            data (dict): ``inputs`` is a list of V views, each of shape (B, C, H, W), as the
                ``MultiView`` transform and ``default_collate`` make it (or a list of B images
                each, as mmengine's ``pseudo_collate`` does), or whatever ``ClsDataPreprocessor``
                takes. Views share one size.
            training (bool): Whether the batch is for training. Defaults to False.

        Returns:
            dict: ``inputs`` is a list of V tensors, or one tensor where one came in;
            ``data_samples`` as in ``ClsDataPreprocessor``.

        Raises:
            ValueError: If batch augmentations are configured and several views come in, or if the
                views differ in shape.
        """
        samples = data.get('data_samples')
        if isinstance(samples, SampleBatch):
            # The parent would make a data sample of each.
            finished = MultiViewDataPreprocessor.forward(self, {'inputs': data['inputs']}, training)
            return {**finished, 'data_samples': samples}
        views = data['inputs']
        if not _is_multi_view(views):
            data = super().forward(data, training)
            data['inputs'] = self._to_memory_format(data['inputs'])
            return data
        if self.batch_augments is not None:
            raise ValueError(
                'batch_augments (such as Mixup) cannot be applied to several views; TCL mixes them itself'
            )
        views = [view if isinstance(view, torch.Tensor) else torch.stack(list(view)) for view in views]
        shapes = {tuple(view.shape) for view in views}
        if len(shapes) > 1:
            raise ValueError(f'all views must have one shape, got {sorted(shapes)}')
        data = super().forward({**data, 'inputs': torch.cat(views)}, training)
        data['inputs'] = list(self._to_memory_format(data['inputs']).chunk(len(views)))
        return data

    def _to_memory_format(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.to(memory_format=torch.channels_last) if self.channels_last else inputs


def _is_multi_view(inputs: list | torch.Tensor) -> bool:
    # A list of single images, from `pseudo_collate`, holds tensors of shape (C, H, W).
    if not isinstance(inputs, (list, tuple)):
        return False
    return inputs[0].ndim == 4 if isinstance(inputs[0], torch.Tensor) else isinstance(inputs[0], (list, tuple))
