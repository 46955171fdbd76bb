# SPDX-License-Identifier: Apache-2.0
"""Images and labels from a table."""

import csv
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from .image_lists import PROBED, leaves, require_folder

PATH_COLUMN, LABEL_COLUMN = 'img_path', 'gt_label'

#: Before a number it says that the number is a place among the classes, whatever they are called.
PLACE_MARK = '#'

# More are taken for a mistake, such as the number of a photograph in the place of the label.
MOST_CLASSES = 100_000

_PLACE = re.compile(rf'{PLACE_MARK}+([0-9]+)')
_NUMBER = re.compile(r'[+-]?[0-9]+(\.[0-9]*)?')


@DATASETS.register_module()
class CSVDataset(BaseDataset):
    """Images that a table with the columns ``img_path`` and ``gt_label`` lists.

    ::

        img_path,gt_label
        cats/1.jpg,cat
        dogs/7.jpg,dog

    The header is needed; other columns are ignored. Labels are the names of classes or, where all
    are whole numbers and none is in ``classes``, 0, 1, ..., K-1; with ``#`` before it, such as ``#2``, a
    number is a place in any case. Without ``classes`` the names found,
    sorted, are the classes, or K is the largest number and one; other numbers, such as -1 and 1.0, are
    refused if all are numbers. So tables for training and
    validation that do not both have all classes need ``classes``.

    Paths are relative to ``data_root`` (and ``data_prefix``), and must not leave it; links are not followed
    to find that out.

    Args:
        ann_file (str): The table, relative to ``data_root`` unless it is absolute.
        data_root (str): Folder of the images. Defaults to ``''``, the working directory.
        check_files (int, optional): So many of the first images must be there; None is for all.
            Defaults to 10. Others are noticed when they are loaded.
        allow_outside (bool): Whether paths may leave the folder, by ``..`` or because they are absolute.
            Defaults to False.
        **kwargs: Other arguments of mmpretrain's ``BaseDataset``, such as ``classes`` (list[str], or
            a file with one name a line).

    Each item has ``img_path`` and ``gt_label`` (int).

    Raises:
        FileNotFoundError: The table, the folder, or one of the first images is missing.
        ValueError: The table cannot be read, lacks a column, a path, or a label, or has one that is unknown;
            or a path leaves the folder. The error names the line.

    Examples:
        >>> dataset = CSVDataset('train.csv', data_root='data/pets')
        >>> dataset.CLASSES
        ('cat', 'dog')
    """

    def __init__(
        self,
        ann_file: str,
        data_root: str = '',
        check_files: int | None = PROBED,
        allow_outside: bool = False,
        **kwargs: Any,
    ) -> None:
        self.check_files = check_files
        self.allow_outside = allow_outside
        super().__init__(ann_file=ann_file, data_root=os.path.expanduser(data_root), **kwargs)

    def load_data_list(self) -> list[dict]:
        """Load paths and labels."""
        table = Path(self.ann_file)
        rows = _read_rows(table)
        classes, labels = _to_labels(rows, self.CLASSES, table)
        self._metainfo['classes'] = tuple(classes)
        folder = require_folder(Path(self.img_prefix or '.'), f'{table}: folder of the images')
        paths = [self._place(folder, path, f'{table}: line {number}') for number, path, _ in rows]
        for (number, _, _), path in list(zip(rows, paths, strict=True))[: self.check_files]:
            if not os.path.isfile(path):
                raise FileNotFoundError(f'{table}: line {number}: there is no image {path}')
        return [{'img_path': path, 'gt_label': label} for path, label in zip(paths, labels, strict=True)]

    def _place(self, folder: Path, path: str, where: str) -> str:
        """Join a path to the folder, and refuse one that leaves it."""
        if not self.allow_outside and leaves(os.path.join(folder, path), str(folder)):
            raise ValueError(
                f'{where}: {path} leaves the folder of the images, {folder}: '
                'set allow_outside=True if the table is to be trusted'
            )
        return os.path.normpath(os.path.join(folder, path))


def _read_rows(table: Path) -> list[tuple[int, str, str]]:
    """Line, path and label of each row."""
    if not table.is_file():
        raise FileNotFoundError(f'table {table} does not exist or is not a file')
    try:
        # utf-8-sig, as spreadsheets put a byte order mark before the header.
        with table.open(newline='', encoding='utf-8-sig') as file:
            reader = csv.DictReader(file)
            missing = [name for name in (PATH_COLUMN, LABEL_COLUMN) if name not in (reader.fieldnames or ())]
            if missing:
                raise ValueError(
                    f'{table}: the first line must name the columns {PATH_COLUMN} and {LABEL_COLUMN}, '
                    f'got {reader.fieldnames}'
                )
            rows = []
            for row in reader:
                if None in row:
                    raise ValueError(
                        f'{table}: line {reader.line_num} has more cells than the first line has names: put quotes '
                        'around a path with a comma'
                    )
                rows.append((reader.line_num, row[PATH_COLUMN], row[LABEL_COLUMN]))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f'{table}: not a readable table: {error}') from error
    if not rows:
        raise ValueError(f'{table}: has a header, but no images')
    for number, path, label in rows:
        for name, value in [(PATH_COLUMN, path), (LABEL_COLUMN, label)]:
            if not (value or '').strip():
                raise ValueError(f'{table}: line {number} has no {name}')
    return [(number, path.strip(), label.strip()) for number, path, label in rows]


def _to_labels(
    rows: list[tuple[int, str, str]], classes: Sequence[str] | None, table: Path
) -> tuple[Sequence[str], list[int]]:
    """The classes, and the label of each row as a place among them."""
    if classes is None and all(_PLACE.fullmatch(label) for _, _, label in rows):
        rows = [(number, path, label.lstrip(PLACE_MARK)) for number, path, label in rows]
    found = {label for _, _, label in rows}
    numbers = all(label.isascii() and label.isdecimal() for label in found)
    named = classes is not None
    if classes is None:
        if not numbers:
            _refuse_numbers(rows, table)
        classes = [str(i) for i in range(_num_classes(found, table))] if numbers else sorted(found)
    index = {name: i for i, name in enumerate(classes)}
    places = list(classes) == [str(i) for i in range(len(classes))]
    if numbers and (places or not (named and found & index.keys())):
        index = {label: int(label) for label in found if int(label) < len(classes)}
    marked = {label: int(place[1]) for label in found - index.keys() if (place := _PLACE.fullmatch(label))}
    index |= {label: place for label, place in marked.items() if named and place < len(classes)}
    for number, _, label in rows:
        if label not in index:
            _refuse_mixture(rows, len(classes), number, label, table)
            names = ', '.join(list(classes)[:8]) + (', ...' if len(classes) > 8 else '')
            raise ValueError(
                f'{table}: line {number}: {label!r} is neither one of the {len(classes)} classes ({names}) '
                f'nor a number below {len(classes)}'
            )
    return classes, [index[label] for _, _, label in rows]


def _refuse_mixture(rows: list[tuple[int, str, str]], num_classes: int, line: int, label: str, table: Path) -> None:
    """Refuse a number that would be a label, if all others were numbers, too."""
    if label.isascii() and label.isdecimal() and int(label) < num_classes:
        other = next(((n, text) for n, _, text in rows if not _PLACE.fullmatch(PLACE_MARK + text)), None)
        if other:
            raise ValueError(
                f'{table}: line {line} has the number {label}, but line {other[0]} the name {other[1]!r}: labels must '
                'be all names or all numbers'
            )


def _refuse_numbers(rows: list[tuple[int, str, str]], table: Path) -> None:
    """Refuse labels that are all numbers, but not all places: as names they would be sorted by their digits."""
    if all(_NUMBER.fullmatch(label) for _, _, label in rows):
        number, label = next((n, text) for n, _, text in rows if not (text.isascii() and text.isdecimal()))
        raise ValueError(
            f'{table}: line {number}: label {label!r}: numbers must be whole and from 0 on; '
            'set classes if these are names'
        )


def _num_classes(numbers: set[str], table: Path) -> int:
    """One more than the largest label."""
    largest = max(map(int, numbers))
    if largest >= MOST_CLASSES:
        raise ValueError(f'{table}: label {largest} would make {largest + 1} classes; set classes if that is meant')
    return largest + 1
