# SPDX-License-Identifier: Apache-2.0
"""Set up a training on tables of paths and labels."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmpretrain.registry import TASK_UTILS

from ..datasets.csv_dataset import CSVDataset
from ..datasets.image_lists import leaves, some
from .image_folder import ImageFolderSetup
from .layout import Classes, Layout, without_unreadable


@TASK_UTILS.register_module()
class TableSetup(ImageFolderSetup):
    """Look at tables for :class:`CSVDataset`, and settle what a config leaves open, as for a folder.

    Paths in them are relative to ``data_root`` and must not leave it. Labels are names of classes or numbers; see
    :class:`CSVDataset`. Where there is no table for validation, images of the first are kept back; where there is none
    to test, those of validation are taken.

    Args:
        train (str): Table of the images to train on, relative to ``data_root`` unless it is absolute. Defaults to
            ``'train.csv'``.
        val (str | bool): Table for validation; True is for ``'val.csv'`` if there is one, and False for none. Defaults
            to True.
        test (str | bool): Table to test on, likewise. Defaults to True.
        **kwargs: Other arguments of :class:`ImageFolderSetup`; ``layout`` has no meaning here.

    Raises:
        TypeError: If a table is no path, or ``layout`` is given.
    """

    def __init__(
        self, train: str = 'train.csv', val: str | bool = True, test: str | bool = True, **kwargs: Any
    ) -> None:
        if 'layout' in kwargs:
            raise TypeError('auto_setup.layout says what folders are; tables say it themselves')
        super().__init__(**kwargs)
        self.tables = dict(train=train, val=val, test=test)
        for part, table in self.tables.items():
            if not isinstance(table, str) and (part == 'train' or not isinstance(table, bool)):
                raise TypeError(f'auto_setup.{part}={table} must be the path of a table')

    def _look(self, root: Path, lists: Path, classes: list[str] | None) -> tuple[Layout, list[str]]:
        """What the tables list, without images that cannot be read."""
        paths = {part: root / os.path.expanduser(name) for part, name in self._named(root)}
        if not paths['train'].is_file():
            raise FileNotFoundError(
                f'there is no table {paths["train"]}: name it by --cfg-options auto_setup.train=FILE'
            )
        train = _read(paths['train'], root, classes)
        found = [str(name) for name in train.CLASSES]
        if len(found) < 2:
            raise ValueError(f'{train.ann_file}: two or more classes are needed, found {found[0]} alone')
        tables = {part: train if part == 'train' else _read(path, root, found) for part, path in paths.items()}
        parts = {part: _by_class(table, found, root) for part, table in tables.items()}
        places = Counter(path for part in parts.values() for images in part.values() for path in images)
        unreadable, notes = self._unreadable(root, list(places), lists)
        for part, by_class in parts.items():
            parts[part] = without_unreadable(by_class, unreadable, paths[part], root)
        twice = [path for path, count in places.items() if count > 1]
        if twice:
            notes.append(f'{len(twice):,} images stand in a table twice, or in two tables: {some(twice)}')
        lacking = [name for name in found if name not in parts['train']]
        if lacking:
            notes.append(f'no training images of {some(lacking)}')
            parts['train'] = {name: parts['train'].get(name, []) for name in found}
        return Layout(parts), notes

    def _named(self, root: Path) -> Iterator[tuple[str, str]]:
        """The tables that there are to read, by part."""
        for part, table in self.tables.items():
            if isinstance(table, str):
                yield part, table
            elif table and (root / f'{part}.csv').is_file():
                yield part, f'{part}.csv'


def _read(table: Path, root: Path, classes: list[str] | None) -> CSVDataset:
    # Images that are missing are found with those that cannot be read, and paths that lead out of the folder are told
    # of below, as the option that the data set has for them does not reach it.
    return CSVDataset(str(table), data_root=str(root), classes=classes, check_files=0, allow_outside=True)


def _by_class(table: CSVDataset, classes: list[str], root: Path) -> Classes:
    """Images of each class that has any, in the order of the table."""
    found: Classes = {}
    for i in range(len(table)):
        info = table.get_data_info(i)
        path = info['img_path']
        if leaves(path, str(root)):
            raise ValueError(f'{table.ann_file}: {path} is not below data_root={root}: name a folder above all images')
        found.setdefault(classes[info['gt_label']], []).append(Path(path).relative_to(root).as_posix())
    return {name: found[name] for name in classes if name in found}
