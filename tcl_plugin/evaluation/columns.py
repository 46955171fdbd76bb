# SPDX-License-Identifier: Apache-2.0
"""Columns as CSV: fast for millions of rows, and safe to open in a spreadsheet."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..atomic import replacing

# Spreadsheets take a cell that begins so for a formula, the full-width forms included
# (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = '[=+\\-@\t\r\n＝＋－＠]'
_TO_ESCAPE = re.compile(f"'*{_FORMULA}")
_ESCAPED = re.compile(f"'+{_FORMULA}")
_TO_QUOTE = re.compile('[,"\r\n]')
# Whether any of several texts with zeros between them, as no text has one, cannot be written as it is.
_SPECIAL = re.compile(f'[,"\r\n]|(?:^|\0)\'*{_FORMULA}')

# So many rows are Python objects at a time.
ROWS_AT_ONCE = 100_000


def escape_cell(text: str) -> str:
    """Keep a text from being taken for a formula, by an apostrophe before it.

    Only texts that begin with ``=``, ``+``, ``-``, ``@``, a tab or a line break change, and those that
    begin so after apostrophes, so that :func:`unescape_cell` gives every text back exactly.

    Args:
        text (str): The text.

    Returns:
        str: The content of the cell.
    """
    return f"'{text}" if _TO_ESCAPE.match(text) else text


def unescape_cell(cell: str) -> str:
    """Undo :func:`escape_cell`.

    Args:
        cell (str): The content of a cell.

    Returns:
        str: The text.
    """
    return cell[1:] if _ESCAPED.match(cell) else cell


def write_columns(path: str | Path, columns: Mapping[str, np.ndarray | Sequence]) -> None:
    """Write columns as CSV. A reader sees the old file or the new one, never half of one.

    Numbers with a fraction have six digits. Texts are escaped by :func:`escape_cell`; a None among
    them is an empty cell.

    Args:
        path (str | Path): The file.
        columns (Mapping[str, np.ndarray | Sequence]): Columns of N values each, by name.

    Raises:
        ValueError: If columns differ in length.
    """
    arrays = {name: _array(values) for name, values in columns.items()}
    # One operation for each row: csv.writer takes several times as long, and leaves a lone carriage return unquoted.
    line = ','.join('%.6g' if values.dtype.kind == 'f' else '%s' for values in arrays.values()) + '\n'
    size = max(map(len, arrays.values()), default=0)
    # Names of files need not be UTF-8: what is not is written as it is on disk.
    with replacing(path, newline='', errors='surrogateescape') as file:
        file.write(','.join(arrays) + '\n')
        for start in range(0, size, ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            cells = [_cells(values[rows]) for values in arrays.values()]
            file.writelines(map(line.__mod__, zip(*cells, strict=True)))


def _array(values: np.ndarray | Sequence) -> np.ndarray:
    """The values as an array; texts as objects, whose memory is not that of the longest one for each."""
    if isinstance(values, np.ndarray) or not any(isinstance(value, (str, type(None))) for value in values):
        return np.asarray(values)
    return np.array(values, dtype=object)


def _cells(values: np.ndarray) -> list:
    """What the row's format takes for values of a column."""
    if values.dtype.kind in 'iufb':
        return values.tolist()
    texts = ['' if text is None else str(text) for text in values.tolist()]
    return [_text_cell(text) for text in texts] if _SPECIAL.search('\0'.join(texts)) else texts


def _text_cell(text: str) -> str:
    cell = escape_cell(text)
    return '"' + cell.replace('"', '""') + '"' if _TO_QUOTE.search(cell) else cell
