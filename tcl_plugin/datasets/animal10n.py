# SPDX-License-Identifier: Apache-2.0
"""ANIMAL-10N: five pairs of animals that are easily confused, labelled in haste."""

import os
from typing import Any, ClassVar

from mmpretrain.registry import DATASETS

from .image_lists import ListedDataset, contents, image_names, to_label

NUM_CLASSES = 10


@DATASETS.register_module()
class Animal10N(ListedDataset):
    """ANIMAL-10N (H. Song et al., SELFIE, ICML 2019), 10 classes, 64 x 64 pixels. ::

        data_root
        ├── training/0_a123.jpg       the label is what stands before the first `_`
        └── testing/3_b45.jpg

    Images are in the order of their sorted names. Classes are named by their label, unless the
    argument ``classes`` names them.

    Args:
        data_root (str): The folder.
        split (str): ``'train'`` or ``'test'``. Defaults to ``'train'``.
        **kwargs: Other arguments of :class:`ListedDataset` and mmpretrain's ``BaseDataset``.

    Each item has ``img_path`` and ``gt_label`` (int).

    Raises:
        FileNotFoundError: A folder or its images are missing.
        ValueError: A file's name does not begin with a label from 0 to 9 and ``_``.
    """

    SPLITS: ClassVar[tuple[str, ...]] = ('train', 'test')

    def __init__(self, data_root: str, split: str = 'train', **kwargs: Any) -> None:
        super().__init__(data_root, split, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Load paths and labels of the split."""
        self._set_classes([str(label) for label in range(NUM_CLASSES)])
        folder = self.root / ('training' if self.split == 'train' else 'testing')
        if not folder.is_dir():
            raise FileNotFoundError(
                f'Animal10N: expected a folder {folder}; found {contents(self.root)} in {self.data_root}'
            )
        return [
            {'img_path': os.path.join(folder, name), 'gt_label': self._label(name, os.path.join(folder, name))}
            for name in image_names(folder)
        ]

    def _label(self, name: str, path: str) -> int:
        label, separator, _ = name.partition('_')
        if not separator:
            raise ValueError(f'Animal10N: {path}: the name does not begin with a label and _, such as 0_{name}')
        return to_label(label, NUM_CLASSES, f'Animal10N: {path}')
