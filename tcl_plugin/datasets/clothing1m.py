# SPDX-License-Identifier: Apache-2.0
"""Clothing1M: a million pictures of clothes, labelled by the text around them."""

import os
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from mmpretrain.registry import DATASETS

from .image_lists import ListedDataset, choose_layout, find_file, labelled_lines, read_lines

NUM_CLASSES = 14
_PREFIX = 'images/'

# Which lists each split is made of: of images, and of their labels.
_LISTS = {
    'train': ('noisy_train_key_list.txt', 'noisy_label_kv.txt'),
    'clean_train': ('clean_train_key_list.txt', 'clean_label_kv.txt'),
    'val': ('clean_val_key_list.txt', 'clean_label_kv.txt'),
    'test': ('clean_test_key_list.txt', 'clean_label_kv.txt'),
}


@DATASETS.register_module()
class Clothing1M(ListedDataset):
    """Clothing1M (T. Xiao et al., CVPR 2015), 14 classes. ::

        data_root
        ├── noisy_train_key_list.txt      images/0/0/xxx.jpg
        ├── noisy_label_kv.txt            images/0/0/xxx.jpg 3
        ├── clean_train_key_list.txt, clean_val_key_list.txt, clean_test_key_list.txt
        ├── clean_label_kv.txt
        ├── category_names_eng.txt        names of the classes; without it they are '0' ... '13'
        └── images/0/0/xxx.jpg

    The lists may lie in ``label/``, and what they name may begin with ``images/`` or not. The images
    may lie in ``images/`` or, with the lists beside them, in ``data_root`` itself.

    Args:
        data_root (str): The folder.
        split (str): ``'train'`` (noisy labels), or ``'clean_train'``, ``'val'`` or ``'test'``
            (labels by people). Defaults to ``'train'``.
        **kwargs: Other arguments of :class:`ListedDataset` and mmpretrain's ``BaseDataset``.

    Each item has ``img_path`` and ``gt_label`` (int).

    Raises:
        FileNotFoundError: The folder, a list, or the first images are missing.
        ValueError: A line of a list cannot be read, or an image has no label.
    """

    SPLITS: ClassVar[tuple[str, ...]] = tuple(_LISTS)

    def __init__(self, data_root: str, split: str = 'train', **kwargs: Any) -> None:
        super().__init__(data_root, split, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Load paths and labels of the split."""
        keys, table = (self._list(name) for name in _LISTS[self.split])
        self._set_classes(self._class_names(keys.parent))
        labels = {key.removeprefix(_PREFIX): label for key, label in labelled_lines(table, NUM_CLASSES)}
        entries = []
        for number, line in read_lines(keys):
            key = line.removeprefix(_PREFIX)
            if key not in labels:
                raise ValueError(f'list {keys}: {line} in line {number} has no label in {table}')
            entries.append(key)
        layouts = [partial(os.path.join, os.path.join(self.data_root, folder)) for folder in ('images', '')]
        place = choose_layout(layouts, entries, f'Clothing1M ({self.split})')
        return self._inside([{'img_path': place(key), 'gt_label': labels[key]} for key in entries])

    def _list(self, name: str) -> Path:
        return find_file(self.root, (name, f'label/{name}'), 'Clothing1M')

    def _class_names(self, folder: Path) -> list[str]:
        path = folder / 'category_names_eng.txt'
        if not path.is_file():
            return [str(label) for label in range(NUM_CLASSES)]
        names = [line for _, line in read_lines(path)]
        if len(names) != NUM_CLASSES:
            raise ValueError(f'{path}: has {len(names)} names, expected {NUM_CLASSES}')
        return names
