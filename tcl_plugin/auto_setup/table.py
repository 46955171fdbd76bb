# SPDX-License-Identifier: Apache-2.0
"""Set up a training on tables of paths and labels."""

import os
from pathlib import Path
from typing import Any

from mmpretrain.registry import TASK_UTILS

from ..datasets.csv_dataset import CSVDataset
from .image_folder import ImageFolderSetup
from .layout import Classes, Layout


@TASK_UTILS.register_module()
class TableSetup(ImageFolderSetup):
    """Look at tables for :class:`CSVDataset`, and settle what a config leaves open, as for a folder.

    Paths in them are relative to ``data_root`` and must not leave it. Labels are names of classes or numbers; see
    :class:`CSVDataset`. Where there is no table for validation, images of the first are kept back; where there is none
    to test, those of validation are taken.

    Args:
        train (str): Table of the images to train on, relative to ``data_root`` unless it is absolute. Defaults to
            ``'train.csv'``.
        val (str, optional): Table for validation. Defaults to None, for ``'val.csv'`` if there is one.
        test (str, optional): Table to test on. Defaults to None, for ``'test.csv'`` if there is one.
        **kwargs: Other arguments of :class:`ImageFolderSetup`; ``layout`` has no meaning here.

    Raises:
        TypeError: If ``layout`` is given.
    """

    def __init__(
        self, train: str = 'train.csv', val: str | None = None, test: str | None = None, **kwargs: Any
    ) -> None:
        if 'layout' in kwargs:
            raise TypeError('auto_setup.layout says what folders are; tables say it themselves')
        super().__init__(**kwargs)
        self.train = train
        self.val = val
        self.test = test

    def _look(self, root: Path, lists: Path, classes: list[str] | None) -> tuple[Layout, list[str]]:
        """What the tables list, without images that cannot be read."""
        if not os.path.isfile(os.path.join(root, os.path.expanduser(self.train))):
            raise FileNotFoundError(
                f'there is no table {os.path.join(root, self.train)}: name it by --cfg-options auto_setup.train=FILE'
            )
        train = self._read(self.train, root, classes)
        found = [str(name) for name in train.CLASSES]
        if len(found) < 2:
            raise ValueError(f'{train.ann_file}: two or more classes are needed, found {found[0]} alone')
        tables = dict(train=train)
        for part, named in (('val', self.val), ('test', self.test)):
            if named is not None or (root / f'{part}.csv').is_file():
                tables[part] = self._read(named or f'{part}.csv', root, found)
        parts = {part: _by_class(table, found, root) for part, table in tables.items()}
        images = {path: None for images in parts.values() for paths in images.values() for path in paths}
        unreadable, notes = self._unreadable(root, list(images), lists)
        if len(unreadable) == len(images):
            first = next(iter(images))
            raise ValueError(f'none of the images can be read, the first is {root / first}: {unreadable[first]}')
        for part, by_class in parts.items():
            parts[part] = {
                name: [path for path in paths if path not in unreadable] for name, paths in by_class.items()
            }
        return Layout(parts), notes

    @staticmethod
    def _read(table: str, root: Path, classes: list[str] | None) -> CSVDataset:
        # Images that are missing are found with those that cannot be read.
        return CSVDataset(os.path.expanduser(table), data_root=str(root), classes=classes, check_files=0)


def _by_class(table: CSVDataset, classes: list[str], root: Path) -> Classes:
    """Images of each class, in the order of the table."""
    found: Classes = {name: [] for name in classes}
    for i in range(len(table)):
        info = table.get_data_info(i)
        found[classes[info['gt_label']]].append(Path(os.path.relpath(info['img_path'], root)).as_posix())
    return found
