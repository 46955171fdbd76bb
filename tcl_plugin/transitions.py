# SPDX-License-Identifier: Apache-2.0
"""Transition matrices: how often a sample of one class is given the label of another. Counted, read and checked."""

from pathlib import Path

import numpy as np

from .safe_files import read_json, read_npy

# Sums of rows may differ from 1 by rounding alone within this; within the second, by that of entries written down, of
# which many add up: the files of this package have six digits.
EXACT, ROUNDED, LAST_DIGIT = 1e-6, 1e-4, 1e-6


def count_transitions(true: np.ndarray, given: np.ndarray, num_classes: int) -> np.ndarray:
    r"""Transition matrix from true and given labels, by counting.

    .. math:: T_{ij} = \frac{|\{n : y_n = i, \tilde y_n = j\}|}{|\{n : y_n = i\}|}

    Args:
        true (np.ndarray): True labels, shape (N,); samples of -1, which belong to no class, do not count.
        given (np.ndarray): Given labels, shape (N,).
        num_classes (int): Number of classes K.

    Returns:
        np.ndarray: float64, shape (K, K); each row sums to 1. A class without samples keeps its label.
    """
    true, given = (np.asarray(labels, dtype=np.int64) for labels in (true, given))  # small types would overflow
    pairs = (true * num_classes + given)[true >= 0]
    counts = np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
    empty = counts.sum(axis=1) == 0
    counts[empty, empty] = 1
    return counts / counts.sum(axis=1, keepdims=True)


def read_matrix(matrix: object, source: str = 'array') -> np.ndarray:
    """Read a transition matrix and check it.

    Args:
        matrix (list[list[float]] | np.ndarray | str | Path): K rows of K numbers, or a ``.npy``, ``.json`` or ``.csv``
            file that holds them.
        source (str): Where rows come from, for errors. Defaults to ``'array'``.

    Returns:
        np.ndarray: float64, shape (K, K). Rows that sum to 1 but for rounded digits are scaled; others stay as they
        are to the last bit, so that labels drawn from them do.

    Raises:
        FileNotFoundError: There is no such file.
        TypeError: The entries are not numbers.
        ValueError: The file cannot be read, the matrix is not square, an entry lies outside
            [0, 1], or a row does not sum to 1.
    """
    if isinstance(matrix, (str, Path)):
        matrix, source = _read_file(Path(matrix)), str(matrix)
    return _check(matrix, f'transition matrix {source}')


def _read_file(path: Path) -> object:
    readers = {
        '.npy': lambda: read_npy(path),
        '.json': lambda: read_json(path),
        '.csv': lambda: np.loadtxt(path, delimiter=',', ndmin=2, encoding='utf-8-sig'),
    }
    if path.suffix.lower() not in readers:
        raise ValueError(f'transition matrix {path}: unknown suffix {path.suffix!r}; known are {sorted(readers)}')
    if not path.is_file():
        raise FileNotFoundError(f'transition matrix {path} does not exist or is not a file')
    try:
        return readers[path.suffix.lower()]()
    except (TypeError, ValueError, EOFError, OSError) as error:
        raise ValueError(f'transition matrix {path}: cannot be read: {error}') from error


def _check(entries: object, name: str) -> np.ndarray:
    try:
        matrix = np.array(entries, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(f'{name}: its entries are not K rows of K numbers: {error}') from error
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f'{name}: expected K rows of K numbers, got shape {matrix.shape}')
    # Written so that NaN, for which every comparison is false, is refused too.
    wrong = np.argwhere(~((matrix >= 0) & (matrix <= 1)))
    if len(wrong):
        row, column = wrong[0]
        raise ValueError(
            f'{name}: entry {matrix[row, column]} in row {row}, column {column} is no probability in [0, 1]'
        )
    sums = matrix.sum(axis=1)
    wrong_rows = np.flatnonzero(np.abs(sums - 1) > max(ROUNDED, LAST_DIGIT / 2 * len(matrix)))
    if len(wrong_rows):
        raise ValueError(f'{name}: row {wrong_rows[0]} sums to {sums[wrong_rows[0]]:.6f}, not to 1')
    rounded = np.abs(sums - 1) > EXACT
    matrix[rounded] /= sums[rounded, None]
    return matrix
