# SPDX-License-Identifier: Apache-2.0
"""How often a sample of one class is given the label of another, by what a network predicts."""

import numpy as np


def check_percentile(percentile: float | None) -> None:
    """Check the percentile of :func:`transitions_from_anchors`.

    Args:
        percentile (float, optional): The percentile.

    Raises:
        ValueError: If it lies outside [0, 100].
    """
    if percentile is not None and not 0 <= percentile <= 100:
        raise ValueError(f'percentile must be None or lie in [0, 100], got {percentile}')


def transitions_from_anchors(probs: np.ndarray, percentile: float | None = 97.0) -> np.ndarray:
    r"""Transition matrix from the predictions of a network that was trained on given labels.

    .. math:: \hat T_{ij} = p(\tilde y = j \mid \bar x^i)

    (Theorem 3 of Patrini et al., CVPR 2017, https://arxiv.org/abs/1609.03683.) The anchor
    :math:`\bar x^i` stands for a sample that surely is of class i: the one with the highest
    :math:`p(\tilde y = i \mid x)`, or, to be safe from outliers, the one at a percentile of it. The
    percentile must lie within the share of the class: 97 suits ten classes, and None a hundred.

    Args:
        probs (np.ndarray): Predictions on the training set, shape (N, K).
        percentile (float, optional): Percentile in [0, 100], rounded up to a sample. Defaults to 97;
            None takes the highest.

    Returns:
        np.ndarray: float64, shape (K, K); each row sums to 1.

    Raises:
        ValueError: If ``percentile`` lies outside [0, 100].
    """
    check_percentile(percentile)
    probs = np.asarray(probs)
    place = int(np.ceil((100 if percentile is None else percentile) / 100 * (len(probs) - 1)))
    # Column by column, and unsorted: the table may be large, and one sample of each column is wanted.
    matrix = probs[[_in_place(column, place) for column in probs.T]].astype(np.float64)
    return matrix / matrix.sum(axis=1, keepdims=True)


def _in_place(column: np.ndarray, place: int) -> int:
    """Index that a stable sort would put in a place."""
    found = int(np.argpartition(column, place)[place])
    alike = np.flatnonzero(column == column[found])
    # NaN is not even like itself.
    return int(alike[place - np.count_nonzero(column < column[found])]) if len(alike) else found


def keep_absent(matrix: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Let classes that no sample has as its given label keep theirs: no sample can stand for them.

    Args:
        matrix (np.ndarray): Transition matrix, estimated, shape (K, K).
        given (np.ndarray): Given labels, shape (N,).

    Returns:
        np.ndarray: The matrix, with rows of the identity for these classes.
    """
    absent = np.bincount(given, minlength=len(matrix)) == 0
    return np.where(absent[:, None], np.eye(len(matrix)), matrix)
