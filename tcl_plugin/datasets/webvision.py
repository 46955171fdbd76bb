# SPDX-License-Identifier: Apache-2.0
"""WebVision, and the same classes of ImageNet's validation set."""

import os
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from mmpretrain.registry import DATASETS

from .image_lists import (
    ListedDataset,
    choose_layout,
    contents,
    image_names,
    labelled_lines,
    read_synsets,
    require_folder,
    wnids_among,
)

#: Where ILSVRC12 may have its list, below the folder; mmpretrain's ImageNet has the second.
LISTS = ('imagenet_val.txt', os.path.join('meta', 'val.txt'))


@DATASETS.register_module()
class WebVision(ListedDataset):
    """The first classes of WebVision 1.0: images that a search engine found for ImageNet's classes.

    With 50 classes, those found by Google alone, it is the *mini-WebVision* of the literature
    (L. Jiang et al., MentorNet, https://arxiv.org/abs/1712.05055). ::

        data_root
        ├── info
        │   ├── train_filelist_google.txt     google/q0001/xxx.jpg 0
        │   ├── val_filelist.txt              val000001.jpg 0
        │   └── synsets.txt                   n01440764 tench, Tinca tinca
        ├── google/q0001/xxx.jpg
        └── val_images_256/val000001.jpg      or val_images/; the former where both are there

    Args:
        data_root (str): The folder.
        split (str): ``'train'`` or ``'val'``. Defaults to ``'train'``.
        num_classes (int): Number of classes K; labels from K on are left out. Defaults to 50.
        **kwargs: Other arguments of :class:`ListedDataset` and mmpretrain's ``BaseDataset``.

    Each item has ``img_path`` and ``gt_label`` (int).

    Raises:
        FileNotFoundError: A folder, a list, or the first images are missing.
        ValueError: A line of a list cannot be read, or names a class that ``synsets.txt`` has not.
    """

    SPLITS: ClassVar[tuple[str, ...]] = ('train', 'val')

    def __init__(self, data_root: str, split: str = 'train', num_classes: int = 50, **kwargs: Any) -> None:
        self.num_classes = num_classes
        super().__init__(data_root, split, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Load paths and labels of the split."""
        info = require_folder(self.root / 'info', 'WebVision:')
        synsets = read_synsets(info / 'synsets.txt', self.num_classes)
        self._set_classes([name for _, name in synsets[: self.num_classes]])
        path = info / ('train_filelist_google.txt' if self.split == 'train' else 'val_filelist.txt')
        entries = [entry for entry in labelled_lines(path, len(synsets)) if entry[1] < self.num_classes]
        if not entries:
            raise ValueError(f'list {path}: has no label below num_classes={self.num_classes}')
        folders = [''] if self.split == 'train' else ['val_images_256', 'val_images']
        layouts = [partial(_join, os.path.join(self.data_root, folder)) for folder in folders]
        place = choose_layout(layouts, entries, f'WebVision ({self.split})')
        return self._inside([{'img_path': place(entry), 'gt_label': entry[1]} for entry in entries])


@DATASETS.register_module()
class ILSVRC12(ListedDataset):
    """ImageNet's validation set of 2012, restricted to the first classes of WebVision.

    Labels are WebVision's: places in its ``info/synsets.txt``. These layouts are known: ::

        data_root/val/n01440764/*.JPEG        folders by WordNet identifier, of these classes or all
        data_root/val/0/*.JPEG                folders by label
        data_root/imagenet_val.txt            lines `ILSVRC2012_val_00000001.JPEG 65`; images in val/
        data_root/meta/val.txt                the same, where mmpretrain's ImageNet looks for it

    ``val/`` itself may be ``data_root``. Identifiers say which class they mean. Labels could mean
    places in ``synsets.txt`` or among all identifiers sorted, and are taken only where that is the same.

    Args:
        data_root (str): The folder.
        synsets (str): WebVision's ``info/synsets.txt``.
        num_classes (int): Number of classes K. Defaults to 50.
        **kwargs: Other arguments of :class:`ListedDataset` and mmpretrain's ``BaseDataset``.

    Each item has ``img_path`` and ``gt_label`` (int).

    Raises:
        FileNotFoundError: A folder, a list, or the first images are missing, or the layout is none of these.
        ValueError: A list cannot be read, or the layout can be understood in two ways.
    """

    SPLITS: ClassVar[tuple[str, ...]] = ('val',)

    def __init__(self, data_root: str, synsets: str, num_classes: int = 50, **kwargs: Any) -> None:
        self.num_classes = num_classes
        self.synsets = Path(synsets).expanduser()
        super().__init__(data_root, 'val', **kwargs)

    def load_data_list(self) -> list[dict]:
        """Load paths and labels of the images of these classes."""
        synsets = read_synsets(self.synsets, self.num_classes)
        self._set_classes([name for _, name in synsets[: self.num_classes]])
        wnids = [wnid for wnid, _ in synsets]
        root = self.root
        val = root / 'val' if (root / 'val').is_dir() else root
        folders = [entry.name for entry in os.scandir(val) if entry.is_dir()]
        by_wnid, by_label = wnids_among(folders), [name for name in folders if name.isdecimal()]
        if by_wnid and by_label:
            raise ValueError(
                f'ILSVRC12: {val} has folders by identifier ({by_wnid[0]}) and by label ({by_label[0]}): '
                'leave one kind'
            )
        if by_wnid:
            return self._from_folders(val, wnids[: self.num_classes])
        if by_label:
            self._check_order(wnids, f'the folders 0, 1, ... in {val}')
            return self._from_folders(val, [str(label) for label in range(self.num_classes)])
        for path in (root / name for name in LISTS):
            if path.is_file():
                return self._from_list(root, path, wnids)
        raise FileNotFoundError(
            f'ILSVRC12: expected folders such as {wnids[0]} or 0 in {val}, or a list '
            f'{" or ".join(str(root / name) for name in LISTS)}; found {contents(val)} in {val}'
        )

    def _from_folders(self, val: Path, names: list[str]) -> list[dict]:
        """Take the images out of the folder of each class."""
        missing = [name for name in names if not (val / name).is_dir()]
        if missing:
            raise FileNotFoundError(
                f'ILSVRC12: {len(missing)} of the {len(names)} classes have no folder in {val}: '
                f'{", ".join(missing[:8])}' + (', ...' if len(missing) > 8 else '')
            )
        return [
            {'img_path': str(val / name / image), 'gt_label': label}
            for label, name in enumerate(names)
            for image in image_names(val / name)
        ]

    def _from_list(self, root: Path, path: Path, wnids: list[str]) -> list[dict]:
        """Take the images that the list says are of these classes."""
        self._check_order(wnids, f'the labels in {path}')
        entries = [entry for entry in labelled_lines(path, 1000) if entry[1] < self.num_classes]
        if not entries:
            raise ValueError(f'list {path}: has no label below num_classes={self.num_classes}')
        layouts = [partial(_join, str(root / folder)) for folder in ('val', '')]
        place = choose_layout(layouts, entries, 'ILSVRC12')
        return self._inside([{'img_path': place(entry), 'gt_label': entry[1]} for entry in entries])

    def _check_order(self, wnids: list[str], what: str) -> None:
        """Refuse labels whose meaning is open."""
        if wnids != sorted(wnids):
            raise ValueError(
                f'ILSVRC12: {what} may mean places in {self.synsets} or among sorted identifiers, and that file is '
                'not sorted; bring the images into folders by identifier, such as val/n01440764'
            )


def _join(folder: str, entry: tuple[str, int]) -> str:
    return os.path.join(folder, entry[0])
