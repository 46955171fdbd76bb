# SPDX-License-Identifier: Apache-2.0
"""Images and labels from a table."""

import csv
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from ..evaluation.columns import unescape_cell
from .image_lists import PROBED, leaves, read_lines, require_folder

PATH_COLUMN, LABEL_COLUMN, NAME_COLUMN = 'img_path', 'gt_label', 'gt_class'

#: Before a number it says that the number is a place among the classes, whatever they are called.
PLACE_MARK = '#'

# More are taken for a mistake, such as the number of a photograph in the place of the label.
MOST_CLASSES = 100_000

_PLACE = re.compile(rf'{PLACE_MARK}+([0-9]+)')
_NUMBER = re.compile(r'[+-]?[0-9]+(\.[0-9]*)?')


class Row(NamedTuple):
    """A row of a table: number of its line, path, label, and what the class is called."""

    line: int
    path: str
    label: str
    name: str


@DATASETS.register_module()
class CSVDataset(BaseDataset):
    """Images that a table with the columns ``img_path`` and ``gt_label`` lists.

    ::

        img_path,gt_label
        cats/1.jpg,cat
        dogs/7.jpg,dog

    The header is needed. Labels are the names of classes or, where all
    are whole numbers and none is in ``classes``, 0, 1, ..., K-1; with ``#`` before it, such as ``#2``, a
    number is a place in any case. Without ``classes`` the names found,
    sorted, are the classes, or K is the largest number and one; other numbers, such as -1 and 1.0, are
    refused if all are numbers. So tables for training and
    validation that do not both have all classes need ``classes``.

    Other columns are ignored, but for ``gt_class``, which lists of the audit have: where ``classes`` are given,
    a number is refused if that column names another class.

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
        ValueError: The table, or the file with the classes, cannot be read; the table lacks a column, a path,
            or a label, or has one that is unknown or of another class than ``gt_class`` says; or a path leaves
            the folder. The error names the line.

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

    def _compat_classes(self, metainfo: dict | None, classes: str | Sequence[str] | None) -> dict:
        """See the base class, which would keep a byte order mark and blank lines of a file as parts of names."""
        if isinstance(classes, str):
            classes = [name for _, name in read_lines(Path(os.path.expanduser(classes)))]
        return super()._compat_classes(metainfo, classes)

    def load_data_list(self) -> list[dict]:
        """Load paths and labels."""
        table = Path(self.ann_file)
        rows = _read_rows(table)
        classes, labels = _to_labels(rows, self.CLASSES, table)
        if self.CLASSES is not None:
            _compare_names(rows, labels, classes, table)
        self._metainfo['classes'] = tuple(classes)
        folder = require_folder(Path(self.img_prefix or '.'), f'{table}: folder of the images')
        paths = [self._place(folder, row.path, f'{table}: line {row.line}') for row in rows]
        for row, path in list(zip(rows, paths, strict=True))[: self.check_files]:
            if not os.path.isfile(path):
                raise FileNotFoundError(f'{table}: line {row.line}: there is no image {path}')
        return [{'img_path': path, 'gt_label': label} for path, label in zip(paths, labels, strict=True)]

    def _place(self, folder: Path, path: str, where: str) -> str:
        """Join a path to the folder, and refuse one that leaves it."""
        if not self.allow_outside and leaves(os.path.join(folder, path), str(folder)):
            raise ValueError(
                f'{where}: {path} leaves the folder of the images, {folder}: '
                'set allow_outside=True if the table is to be trusted'
            )
        return os.path.normpath(os.path.join(folder, path))


def _read_rows(table: Path) -> list[Row]:
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
            for cells in reader:
                if None in cells:
                    raise ValueError(
                        f'{table}: line {reader.line_num} has more cells than the first line has names: put quotes '
                        'around a path with a comma'
                    )
                known = ((cells.get(name) or '').strip() for name in (PATH_COLUMN, LABEL_COLUMN, NAME_COLUMN))
                rows.append(Row(reader.line_num, *known))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f'{table}: not a readable table: {error}') from error
    if not rows:
        raise ValueError(f'{table}: has a header, but no images')
    for row in rows:
        for name, value in [(PATH_COLUMN, row.path), (LABEL_COLUMN, row.label)]:
            if not value:
                raise ValueError(f'{table}: line {row.line} has no {name}')
    return rows


def _compare_names(rows: list[Row], labels: list[int], classes: Sequence[str], table: Path) -> None:
    """Refuse places among classes of another order, or of other classes."""
    for row, label in zip(rows, labels, strict=True):
        name = str(classes[label])
        if row.label != name and row.name and name.strip() not in (row.name, unescape_cell(row.name)):
            raise ValueError(
                f'{table}: line {row.line}: {LABEL_COLUMN} {row.label} is {name!r} among the classes, but '
                f'{NAME_COLUMN} says {row.name!r}: name the classes that the table was written for, in their order'
            )


def _to_labels(rows: list[Row], classes: Sequence[str] | None, table: Path) -> tuple[Sequence[str], list[int]]:
    """The classes, and the label of each row as a place among them."""
    if classes is None and all(_PLACE.fullmatch(row.label) for row in rows):
        rows = [row._replace(label=row.label.lstrip(PLACE_MARK)) for row in rows]
    found = {row.label for row in rows}
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
    for row in rows:
        if row.label not in index:
            _refuse_mixture(rows, len(classes), row, table)
            names = ', '.join(list(classes)[:8]) + (', ...' if len(classes) > 8 else '')
            raise ValueError(
                f'{table}: line {row.line}: {row.label!r} is neither one of the {len(classes)} classes ({names}) '
                f'nor a number below {len(classes)}'
            )
    return classes, [index[row.label] for row in rows]


def _refuse_mixture(rows: list[Row], num_classes: int, row: Row, table: Path) -> None:
    """Refuse a number that would be a label, if all others were numbers, too."""
    if row.label.isascii() and row.label.isdecimal() and int(row.label) < num_classes:
        other = next((other for other in rows if not _PLACE.fullmatch(PLACE_MARK + other.label)), None)
        if other:
            raise ValueError(
                f'{table}: line {row.line} has the number {row.label}, but line {other.line} the name '
                f'{other.label!r}: labels must be all names or all numbers'
            )


def _refuse_numbers(rows: list[Row], table: Path) -> None:
    """Refuse labels that are all numbers, but not all places: as names they would be sorted by their digits."""
    if all(_NUMBER.fullmatch(row.label) for row in rows):
        row = next(row for row in rows if not (row.label.isascii() and row.label.isdecimal()))
        raise ValueError(
            f'{table}: line {row.line}: label {row.label!r}: numbers must be whole and from 0 on; '
            'set classes if these are names'
        )


def _num_classes(numbers: set[str], table: Path) -> int:
    """One more than the largest label."""
    largest = max(map(int, numbers))
    if largest >= MOST_CLASSES:
        raise ValueError(f'{table}: label {largest} would make {largest + 1} classes; set classes if that is meant')
    return largest + 1
