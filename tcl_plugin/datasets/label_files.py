# SPDX-License-Identifier: Apache-2.0
"""Readers of label files: one label per image, in the order of the dataset. They only read."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .labels import check_labels

#: Names that the column of labels may have in a table with a header.
LABEL_COLUMNS = ('given_label', 'label')


def read_label_file(path: str | Path, num_samples: int, num_classes: int) -> np.ndarray:
    """Read and check the given labels in a file.

    ========  ======================================================================
    suffix    content
    ========  ======================================================================
    ``.npy``  vector of any integer type
    ``.json``  list of integers
    ``.csv``  rows ``index,label`` in any order; with a header, the columns
              ``sample_idx`` and ``given_label`` (or ``label``) among others
    ========  ======================================================================

    Args:
        path (str | Path): The file.
        num_samples (int): Number of images N; the file must have as many labels.
        num_classes (int): Number of classes K.

    Returns:
        np.ndarray: Given labels, int64, shape (N,).

    Raises:
        FileNotFoundError: There is no such file.
        TypeError: The labels are not integers.
        ValueError: The suffix is unknown, the file is damaged, the number of labels is not N, or a
            label lies outside 0..K-1. Every error names the file and what was found.
    """
    path = Path(path).expanduser()
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise ValueError(f'label file {path}: unknown suffix {path.suffix!r}; known are {sorted(_READERS)}')
    if not path.is_file():
        raise FileNotFoundError(f'label file {path} does not exist or is not a file')
    labels = reader(path)
    if labels.ndim == 1 and len(labels) != num_samples:
        raise ValueError(
            f'label file {path}: has {len(labels)} labels, expected {num_samples}, one for each image of the dataset'
        )
    return check_labels(labels, num_classes, f'label file {path}')


def _read_npy(path: Path) -> np.ndarray:
    try:
        # Pickles can run code: labels never need them.
        labels = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f'label file {path}: not a readable .npy file: {error}') from error
    if not isinstance(labels, np.ndarray):  # an .npz archive under the wrong name
        raise TypeError(f'label file {path}: expected one array, got an archive of several')
    return labels


def _read_json(path: Path) -> np.ndarray:
    try:
        labels = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'label file {path}: not valid JSON: {error}') from error
    if not isinstance(labels, list):
        raise TypeError(f'label file {path}: expected a list of integers, got {type(labels).__name__}')
    for index, label in enumerate(labels):
        if type(label) is not int:  # bool is a subclass of int
            raise TypeError(
                f'label file {path}: label {label!r} at index {index} is no integer ({type(label).__name__})'
            )
    return _to_array(labels, path)


def _read_csv(path: Path) -> np.ndarray:
    try:
        # utf-8-sig, as spreadsheets put a byte order mark before the header.
        with path.open(newline='', encoding='utf-8-sig') as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if row]
    except (ValueError, csv.Error) as error:
        raise ValueError(f'label file {path}: not a readable table: {error}') from error
    index_column, label_column, rows = _csv_columns(rows, path)
    labels = {}
    for number, row in rows:
        if len(row) <= max(index_column, label_column):
            raise ValueError(f'label file {path}: line {number} has too few columns: {row}')
        index = _csv_integer(row[index_column], number, path)
        if index in labels:
            raise ValueError(f'label file {path}: line {number} has index {index} a second time')
        labels[index] = _csv_integer(row[label_column], number, path)
    for index in range(len(labels)):
        if index not in labels:
            raise ValueError(
                f'label file {path}: index {index} is missing; indices must be '
                f'0..{len(labels) - 1}, as there are {len(labels)} labels'
            )
    return _to_array([labels[index] for index in range(len(labels))], path)


def _csv_columns(rows: list[tuple], path: Path) -> tuple[int, int, list[tuple]]:
    """Find the columns of index and label, and the rows below the header."""
    if not rows:
        raise ValueError(f'label file {path}: is empty')
    first = [name.strip() for name in rows[0][1]]
    if first[0].lstrip('-').isdecimal():
        if len(first) != 2:
            raise ValueError(
                f'label file {path}: without a header there must be two columns, index and label; got {len(first)}'
            )
        return 0, 1, rows
    names = [name for name in LABEL_COLUMNS if name in first]
    if 'sample_idx' not in first or not names:
        raise ValueError(
            f'label file {path}: the header must name sample_idx and one of {list(LABEL_COLUMNS)}, got {first}'
        )
    return first.index('sample_idx'), first.index(names[0]), rows[1:]


def _csv_integer(text: str, number: int, path: Path) -> int:
    try:
        return int(text)
    except ValueError:
        raise TypeError(f'label file {path}: {text!r} in line {number} is no integer') from None


def _to_array(labels: list[int], path: Path) -> np.ndarray:
    try:
        return np.array(labels, dtype=np.int64)
    except OverflowError as error:
        raise ValueError(f'label file {path}: a label is too large: {error}') from None


_READERS: dict[str, Callable[[Path], np.ndarray]] = {
    '.npy': _read_npy,
    '.json': _read_json,
    '.csv': _read_csv,
}
