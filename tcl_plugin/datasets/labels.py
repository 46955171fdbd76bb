# SPDX-License-Identifier: Apache-2.0
"""The one check that every source of labels passes through."""

import numpy as np

#: True label of a sample whose image belongs to none of the classes, see :class:`OpenSetNoise`.
NO_CLASS = -1


def check_labels(labels: np.ndarray, num_classes: int, source: str) -> np.ndarray:
    """Check a vector of labels and bring it to int64.

    Args:
        labels (np.ndarray): Labels, shape (N,).
        num_classes (int): Number of classes K.
        source (str): Where the labels come from; every error begins with it.

    Returns:
        np.ndarray: A copy of the labels, int64, shape (N,).

    Raises:
        TypeError: The labels are not integers.
        ValueError: The labels are not one vector, or one of them lies outside 0..K-1.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f'{source}: expected one label per image, shape (N,), got {labels.shape}')
    if labels.dtype.kind not in 'iu':
        raise TypeError(
            f'{source}: expected an integer type, got {labels.dtype}. Floats are refused even '
            'where all are whole numbers, because scores and probabilities come as floats too'
        )
    # Before the cast, since a huge unsigned value would turn negative.
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(wrong):
        index = int(wrong[0])
        raise ValueError(
            f'{source}: label {labels[index]} at index {index} is outside 0..{num_classes - 1} '
            f'({len(wrong)} such labels)'
        )
    return labels.astype(np.int64)
