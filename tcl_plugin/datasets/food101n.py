# SPDX-License-Identifier: Apache-2.0
"""Food-101N: the classes of Food-101, with images from the web."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from mmpretrain.datasets.categories import FOOD101_CATEGORIES
from mmpretrain.registry import DATASETS

from .image_lists import ListedDataset, choose_layout, find_file, read_lines, some

_LIST = os.path.join('meta', 'imagelist.tsv')


@DATASETS.register_module()
class Food101N(ListedDataset):
    """Food-101N (K.-H. Lee et al., CleanNet, https://arxiv.org/abs/1711.07131), 101 classes, to train on.

    It has no test set: mmpretrain's ``Food101`` with ``split='test'`` reads that of Food-101, which the
    literature uses. Labels are the same in both, unless ``classes`` are given. ::

        data_root                         or data_root/Food-101N_release
        ├── meta/imagelist.tsv            a line `class_name/key`, then lines apple_pie/xxx.jpg
        └── images/apple_pie/xxx.jpg

    Args:
        data_root (str): The folder.
        **kwargs: Other arguments of :class:`ListedDataset` and mmpretrain's ``BaseDataset``; ``classes`` may bring
            the names of Food-101 into another order, which labels then follow.

    Each item has ``img_path`` and ``gt_label`` (int).

    Raises:
        FileNotFoundError: The folder, the list, or the first images are missing.
        ValueError: A line of the list has no class, or one that is not in Food-101; or ``classes`` are others.
    """

    METAINFO: ClassVar[dict] = {'classes': FOOD101_CATEGORIES}
    SPLITS: ClassVar[tuple[str, ...]] = ('train',)

    def __init__(self, data_root: str, **kwargs: Any) -> None:
        super().__init__(data_root, 'train', **kwargs)

    def load_data_list(self) -> list[dict]:
        """Load paths and labels."""
        labels = self._labels()
        path = find_file(self.root, (_LIST, os.path.join('Food-101N_release', _LIST)), 'Food101N')
        entries = []
        for number, line in read_lines(path):
            name = line.partition('/')[0]
            if name not in labels:
                if number == 1:  # the header
                    continue
                raise ValueError(f'list {path}: line {number} does not begin with a class of Food-101 and /: {line!r}')
            entries.append((line, labels[name]))
        if not entries:
            raise ValueError(f'list {path}: has a header, but no images')
        place = choose_layout([partial(_join, path.parent.parent)], entries, 'Food101N')
        return self._inside([{'img_path': place(entry), 'gt_label': entry[1]} for entry in entries])

    def _labels(self) -> dict[str, int]:
        """Label of each class: its place among the classes, which the arguments may have in another order."""
        classes = self._metainfo['classes']
        fault = _fault(classes)
        if fault:
            raise ValueError(
                f'Food101N: classes must be the {len(FOOD101_CATEGORIES)} of Food-101, such as apple_pie, in any '
                f'order: {fault}'
            )
        return {name: label for label, name in enumerate(classes)}


def _fault(classes: Sequence[str]) -> str:
    """What keeps names from being those of Food-101 in some order; empty if nothing does."""
    unknown = [name for name in classes if name not in FOOD101_CATEGORIES]
    if unknown:
        return f'{unknown[0]!r} is none of them'
    missing = [name for name in FOOD101_CATEGORIES if name not in classes]
    if missing:
        return f'{some(missing)} missing'
    return 'one of them comes twice' if len(classes) > len(FOOD101_CATEGORIES) else ''


def _join(root: Path, entry: tuple[str, int]) -> str:
    return os.path.join(root, 'images', entry[0])
