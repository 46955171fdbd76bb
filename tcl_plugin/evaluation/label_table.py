# SPDX-License-Identifier: Apache-2.0
"""The table of label quality that a run leaves in its work directory."""

import csv
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, replace
from itertools import islice
from pathlib import Path

import numpy as np

from .columns import ROWS_AT_ONCE, unescape_cell, write_columns

#: Name of the table in a work directory.
TABLE_NAME = 'label_quality.csv'


@dataclass(kw_only=True)
class LabelTable:
    """One row for each training sample; None where a column is not known.

    The columns have the names that cleanlab's ``CleanLearning.get_label_issues`` gives them
    (https://docs.cleanlab.ai), and this order.

    Attributes:
        sample_idx (np.ndarray): Index in the training set, int64, shape (N,).
        image_idx (np.ndarray, optional): Index of the image in a label file, int64, shape (N,); only where it is not
            ``sample_idx`` in all rows, because images are held out or a wrapper has copied some.
        img_path (np.ndarray, optional): Where images are files; empty for an image that is none.
        given_label (np.ndarray): int64, shape (N,).
        predicted_label (np.ndarray): Class predicted on the plain image, int64, shape (N,).
        label_quality (np.ndarray): Probability that the given label is right, by
            :class:`~tcl_plugin.detection.LabelPosterior`, shape (N,); of tables of earlier releases, the score.
        score (np.ndarray, optional): Score of the given label by the run's detector, shape (N,).
        clean_prob (np.ndarray): Probability that the given label is right by the detector, which is what steers
            the training, shape (N,).
        is_label_issue (np.ndarray): Whether it is called wrong (``label_quality < 0.5``), bool, shape (N,).
        suggested_label (np.ndarray, optional): Likeliest class, as ``label_quality`` is reckoned, int64, shape
            (N,). It is there for every sample, whether or not its label is called wrong, so that
            another threshold on ``label_quality`` can be chosen later; only for a label issue is it a
            suggestion to change the label, and none where it is the given label itself.
        suggested_prob (np.ndarray, optional): Its probability, shape (N,).
        given_class (np.ndarray, optional): Name of the given label, str, shape (N,).
        predicted_class (np.ndarray, optional): Name of the predicted one.
        suggested_class (np.ndarray, optional): Name of the suggested one.
        predicted_prob (np.ndarray): Probability of the predicted class, shape (N,).
        true_label (np.ndarray, optional): Where injected noise or a label file leaves it known; -1
            for an image that belongs to no class (open-set noise), whose label is always wrong.
    """

    sample_idx: np.ndarray
    image_idx: np.ndarray | None = None
    img_path: np.ndarray | None = None
    given_label: np.ndarray
    predicted_label: np.ndarray
    label_quality: np.ndarray
    score: np.ndarray | None = None
    clean_prob: np.ndarray
    is_label_issue: np.ndarray
    suggested_label: np.ndarray | None = None
    suggested_prob: np.ndarray | None = None
    given_class: np.ndarray | None = None
    predicted_class: np.ndarray | None = None
    suggested_class: np.ndarray | None = None
    predicted_prob: np.ndarray
    true_label: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.sample_idx)

    @property
    def scores(self) -> np.ndarray:
        """np.ndarray: Scores by the detector, shape (N,), also of a table of an earlier release."""
        return self.label_quality if self.score is None else self.score

    @property
    def right_prob(self) -> np.ndarray:
        """np.ndarray: Probability that the given label is right, by which the table calls it wrong, shape (N,)."""
        return self.clean_prob if self.score is None else self.label_quality

    @property
    def suggestions(self) -> tuple[np.ndarray, np.ndarray]:
        """tuple[np.ndarray, np.ndarray]: Suggested labels and their probabilities, shape (N,) each.

        Raises:
            ValueError: The table has none.
        """
        if self.suggested_label is None or self.suggested_prob is None:
            raise ValueError('the table of label quality has no suggested labels')
        return self.suggested_label, self.suggested_prob

    def columns(self) -> dict[str, np.ndarray]:
        """Get the columns that are known, by name.

        Returns:
            dict[str, np.ndarray]: The columns, in their order.
        """
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: values for name, values in columns.items() if values is not None}

    def take(self, rows: np.ndarray) -> 'LabelTable':
        """Make a table of some of the rows.

        Args:
            rows (np.ndarray): Their positions, in the order wanted, or a mask.

        Returns:
            LabelTable: The table.
        """
        return LabelTable(**{name: np.asarray(values)[rows] for name, values in self.columns().items()})

    def check_classes(self, num_classes: int) -> None:
        """Refuse labels that are none of so many classes.

        Args:
            num_classes (int): Number of classes K.

        Raises:
            ValueError: If there is one.
        """
        for name in ('given_label', 'predicted_label', 'suggested_label', 'true_label'):
            values = getattr(self, name)
            if values is not None and len(values) and values.max() >= num_classes:
                raise ValueError(f'{TABLE_NAME}: {name} {values.max()} is none of the {num_classes} classes')

    def with_classes(self, classes: Sequence[str] | None) -> 'LabelTable':
        """Put the names of classes beside their numbers.

        Args:
            classes (Sequence[str], optional): Names of the K classes; None leaves the table as it is.

        Returns:
            LabelTable: The table.
        """
        if classes is None:
            return self
        names = np.array([str(name) for name in classes], dtype=object)
        self.check_classes(len(names))
        kinds = [kind for kind in ('given', 'predicted', 'suggested') if getattr(self, f'{kind}_label') is not None]
        return replace(self, **{f'{kind}_class': names[getattr(self, f'{kind}_label')] for kind in kinds})


_TEXTS = ('img_path', 'given_class', 'predicted_class', 'suggested_class')
_SHARES = ('predicted_prob', 'clean_prob', 'suggested_prob')
_BOOLS = {'True': True, 'False': False}

# How each column is read back; what is not named is whole numbers.
_READERS = {
    **dict.fromkeys((*_SHARES, 'label_quality', 'score'), lambda cells: list(map(float, cells))),
    'is_label_issue': lambda cells: [_BOOLS[cell] for cell in cells],
}


def write_label_table(path: str | Path, table: LabelTable) -> None:
    """Write a table as CSV. A reader sees the old file or the new one, never half of one.

    Texts that a spreadsheet would take for a formula are escaped, see :func:`escape_cell`.

    Args:
        path (str | Path): The file.
        table (LabelTable): The table.
    """
    write_columns(path, table.columns())


def read_label_table(path: str | Path) -> LabelTable:
    """Read a table that :func:`write_label_table` wrote, of this release or an earlier one.

    Args:
        path (str | Path): The file.

    Returns:
        LabelTable: The table.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not such a table, or a number in it is out of its range.
    """
    try:
        # Names of files need not be UTF-8: what is not comes back as it was.
        with Path(path).open(newline='', encoding='utf-8', errors='surrogateescape') as file:
            reader = csv.reader(file)
            header = next(reader, [])
            known = {f.name for f in fields(LabelTable)}
            needed = {f.name for f in fields(LabelTable) if f.default is MISSING}
            if not needed <= set(header) <= known:
                raise ValueError(f'its columns are {", ".join(header)}')
            parts = []
            while rows := list(islice(reader, ROWS_AT_ONCE)):
                parts.append(_read_columns(header, rows))
        parts = parts or [_read_columns(header, [])]
    except (ValueError, OverflowError, csv.Error) as error:
        raise ValueError(f'{path} is not a table of label quality: {error}') from error
    return LabelTable(**{name: np.concatenate([part[name] for part in parts]) for name in header})


def _read_columns(header: list[str], rows: list[list[str]]) -> dict[str, np.ndarray]:
    short = [row for row in rows if len(row) != len(header)]
    if short:
        raise ValueError(f'a row has {len(short[0])} columns, not {len(header)}: {",".join(short[0])[:80]}')
    columns = zip(*rows, strict=True) if rows else [() for _ in header]
    return {name: _read_column(name, cells) for name, cells in zip(header, columns, strict=True)}


def _read_column(name: str, cells: Sequence[str]) -> np.ndarray:
    if name in _TEXTS:
        return np.array([unescape_cell(cell) if cell[:1] == "'" else cell for cell in cells])
    try:
        values = np.array(_READERS.get(name, _whole_numbers)(cells))
    except (ValueError, KeyError) as error:
        raise ValueError(f'column {name}: {error}') from error
    if name in _SHARES:
        wrong = ~((values >= 0) & (values <= 1))  # NaN is neither
    elif name in ('label_quality', 'score'):  # detectors of others may have another scale
        wrong = ~np.isfinite(values)
    else:
        # Only for an image that belongs to no class is there a label below 0.
        wrong = values < (-1 if name == 'true_label' else 0)
    if wrong.any():
        raise ValueError(f'column {name}: {values[wrong.argmax()]} is out of range')
    return values


def _whole_numbers(cells: Sequence[str]) -> list[int]:
    return list(map(int, cells))
