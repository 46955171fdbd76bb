# SPDX-License-Identifier: Apache-2.0
"""The table of label quality that a run leaves in its work directory."""

import csv
import os
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import numpy as np


@dataclass
class LabelTable:
    """One row for each training sample; None where a column is not known.

    Attributes:
        sample_idx (np.ndarray): Index in the training set, int64, shape (N,).
        given_label (np.ndarray): int64, shape (N,).
        predicted_label (np.ndarray): Class predicted on the plain image, int64, shape (N,).
        predicted_prob (np.ndarray): Its probability, shape (N,).
        label_quality (np.ndarray): Score of the given label in [0, 1], shape (N,).
        clean_prob (np.ndarray): Probability that the given label is right, shape (N,).
        is_label_issue (np.ndarray): Whether it is called wrong, bool, shape (N,).
        true_label (np.ndarray, optional): Where injected noise or a label file leaves it known; -1
            for an image that belongs to no class (open-set noise), whose label is always wrong.
        img_path (np.ndarray, optional): Where images are files.
    """

    sample_idx: np.ndarray
    given_label: np.ndarray
    predicted_label: np.ndarray
    predicted_prob: np.ndarray
    label_quality: np.ndarray
    clean_prob: np.ndarray
    is_label_issue: np.ndarray
    true_label: np.ndarray | None = None
    img_path: np.ndarray | None = None


# How each column is read back; what is not named is a whole number.
_TYPES = {
    'predicted_prob': float,
    'label_quality': float,
    'clean_prob': float,
    'is_label_issue': lambda text: text == 'True',
    'img_path': str,
}


def write_label_table(path: str | Path, table: LabelTable) -> None:
    """Write a table as CSV. A reader sees the old file or the new one, never half of one.

    Args:
        path (str | Path): The file.
        table (LabelTable): The table.
    """
    columns = {f.name: getattr(table, f.name) for f in fields(table)}
    columns = {name: values for name, values in columns.items() if values is not None}
    temporary = Path(f'{path}.tmp')
    with temporary.open('w', newline='', encoding='utf-8') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(columns)
        texts = [[_text(value) for value in values] for values in columns.values()]
        writer.writerows(zip(*texts, strict=True))
    os.replace(temporary, path)


def _text(value: object) -> str:
    return f'{value:.6g}' if isinstance(value, float) else str(value)


def read_label_table(path: str | Path) -> LabelTable:
    """Read a table that :func:`write_label_table` wrote.

    Args:
        path (str | Path): The file.

    Returns:
        LabelTable: The table.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not such a table.
    """
    with Path(path).open(newline='', encoding='utf-8') as file:
        header, *rows = list(csv.reader(file)) or [[]]
    known = {f.name for f in fields(LabelTable)}
    needed = {f.name for f in fields(LabelTable) if f.default is MISSING}
    if not needed <= set(header) <= known:
        raise ValueError(f'{path} is not a table of label quality: its columns are {", ".join(header)}')
    columns = zip(*rows, strict=True) if rows else [() for _ in header]
    return LabelTable(
        **{
            name: np.array([_TYPES.get(name, int)(text) for text in column])
            for name, column in zip(header, columns, strict=True)
        }
    )
