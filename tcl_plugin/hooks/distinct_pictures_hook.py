# SPDX-License-Identifier: Apache-2.0
"""Pictures of predictions, each under a name of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmpretrain.engine import VisualizationHook
from mmpretrain.registry import HOOKS
from mmpretrain.structures import DataSample


@HOOKS.register_module()
class DistinctPicturesHook(VisualizationHook):
    """mmpretrain's ``VisualizationHook``, whose pictures begin with the index of their sample.

    That names them by the file of the image alone, or by a count that begins too early in a last batch
    that is smaller: images of the same name in the folders of several classes overwrite one another.

    Args:
        **kwargs: Arguments of mmpretrain's ``VisualizationHook``.
    """

    def _draw_samples(
        self, batch_idx: int, data_batch: dict[str, Any], data_samples: Sequence[DataSample], step: int = 0
    ) -> None:
        if self.enable:
            super()._draw_samples(batch_idx, data_batch, [_named(sample) for sample in data_samples], step)


def _named(sample: DataSample) -> DataSample:
    """A copy that its picture is to be named after."""
    if 'sample_idx' not in sample:
        return sample
    named, path = sample.clone(), sample.get('img_path')
    parts = [str(sample.sample_idx)] + ([Path(path).name] if path else [])
    named.set_metainfo(dict(img_path='_'.join(parts)))
    return named
