# SPDX-License-Identifier: Apache-2.0
"""A dataset of a few images, and transforms to watch it with."""

import numpy as np
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS, TRANSFORMS


@DATASETS.register_module(force=True)
class ToyDataset(BaseDataset):
    """Image i is filled with the value ``first + i``, which tells where it comes from."""

    def __init__(self, labels=(0, 1, 2, 3) * 25, first=0, classes='abcd', **kwargs):
        self.labels, self.first = labels, first
        classes = tuple(classes) if classes else None
        super().__init__(ann_file='', classes=classes, **kwargs)

    def load_data_list(self):
        return [
            {'img': np.full((2, 2, 3), self.first + i, dtype=np.uint8), 'gt_label': label}
            for i, label in enumerate(self.labels)
        ]


@TRANSFORMS.register_module(force=True)
class Stamp:
    """Write a mark into the item, so that a test sees which pipeline ran."""

    def __init__(self, mark):
        self.mark = mark

    def __call__(self, results):
        # A copy, so that the test sees what the pipeline was given.
        return {**results, 'mark': self.mark, 'seen_label': results['gt_label']}


@TRANSFORMS.register_module(force=True)
class DropIf:
    """Return None, as mmcv's transforms do on failure, for images with the values listed."""

    def __init__(self, values):
        self.values = values

    def __call__(self, results):
        return None if results['img'][0, 0, 0] in self.values else results
