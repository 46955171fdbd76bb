# SPDX-License-Identifier: Apache-2.0
"""A person's decisions on suggested labels, as the page lets them be downloaded."""

import csv
import hashlib
from pathlib import Path

import numpy as np

from ...evaluation import LabelTable

COLUMNS = ('sample_idx', 'given_label', 'suggested_label', 'decision')
# Which page they were made on; not in files of earlier releases.
PAGE = 'page'
DECISIONS = ('accept', 'reject')


def page_id(table: LabelTable) -> str:
    """Tell the page of a table from others, in the memory of a browser and in what is downloaded.

    Args:
        table (LabelTable): The table.

    Returns:
        str: Sixteen hexadecimal digits, by given and suggested labels.
    """
    columns = np.stack([table.given_label, table.suggestions[0]]).astype('<i8')
    return hashlib.sha256(columns.tobytes()).hexdigest()[:16]


def require_decisions(path: str | Path) -> None:
    """Refuse a file of decisions that is not there, without a look at anything else.

    Args:
        path (str | Path): The file.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(
            f'{path} does not exist or is not a file: "Download decisions" of the page saves it, usually in the '
            "browser's download folder"
        )


def apply_decisions(path: str | Path, table: LabelTable, undecided: str = 'keep') -> tuple[np.ndarray, dict[str, int]]:
    """Make labels from a person's decisions.

    Args:
        path (str | Path): CSV with :data:`COLUMNS`, a row for each decision, and perhaps a column ``page``, see
            :func:`page_id`.
        table (LabelTable): The table that the page was made from, with suggestions.
        undecided (str): What becomes of labels that are called wrong and not decided on: ``'keep'``
            the given label, or ``'suggest'`` the suggested one. Defaults to ``'keep'``.

    Returns:
        tuple[np.ndarray, dict[str, int]]: Labels, int64, shape (N,); and how many suggestions were
        accepted (``'accept'``), rejected (``'reject'``), and neither (``'undecided'``).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no such columns, is about other labels than the table, decides twice on
            a sample, or has another decision than :data:`DECISIONS`. The error names the line.
    """
    decided = _read(Path(path), table)
    accepted = [index for index, decision in decided.items() if decision == 'accept']
    rejected = [index for index, decision in decided.items() if decision == 'reject']
    take = table.is_label_issue & (undecided == 'suggest')
    take[accepted], take[rejected] = True, False
    open_issues = table.is_label_issue.copy()
    open_issues[list(decided)] = False
    counts = {'accept': len(accepted), 'reject': len(rejected), 'undecided': int(open_issues.sum())}
    return np.where(take, table.suggestions[0], table.given_label), counts


def _read(path: Path, table: LabelTable) -> dict[int, str]:
    """Decision on each sample that there is one on."""
    require_decisions(path)
    try:
        # utf-8-sig, as spreadsheets put a byte order mark before the header.
        with path.open(newline='', encoding='utf-8-sig') as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or ()
            rows = [(reader.line_num, row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f'{path}: not a readable table: {error}') from error
    if not set(COLUMNS) <= set(columns):
        raise ValueError(f'{path}: the first line must name the columns {", ".join(COLUMNS)}, got {list(columns)}')
    decided: dict[int, str] = {}
    page = page_id(table)
    for number, row in rows:
        where = f'{path}: line {number}'
        if row.get(PAGE) not in (None, '', page):
            raise ValueError(
                f'{where} was decided on page {row[PAGE]}, and that of this run is {page}: the decisions were made on '
                'the page of another run or epoch'
            )
        index = _check_row(row, table, where)
        if index in decided:
            raise ValueError(f'{where} decides on sample {index} a second time')
        decided[index] = row['decision']
    return decided


def _check_row(row: dict[str, str | None], table: LabelTable, where: str) -> int:
    try:
        index, given, suggested = (int(row[name] or '') for name in COLUMNS[:3])
    except ValueError:
        raise ValueError(
            f'{where}: {", ".join(COLUMNS[:3])} must be whole numbers, got {list(row.values())}'
        ) from None
    if not 0 <= index < len(table):
        raise ValueError(f'{where}: there is no sample {index}, but 0..{len(table) - 1}')
    if row['decision'] not in DECISIONS:
        raise ValueError(f'{where}: the decision must be accept or reject, got {row["decision"]!r}')
    known = int(table.given_label[index]), int(table.suggestions[0][index])
    if (given, suggested) != known:
        raise ValueError(
            f'{where} is about labels {given} (given) and {suggested} (suggested) of sample {index}, but the table '
            f'has {known[0]} and {known[1]}: the decisions were made on the page of another run or epoch'
        )
    return index
