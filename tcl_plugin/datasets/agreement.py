# SPDX-License-Identifier: Apache-2.0
"""How far predictions agree with labels: as often as by chance, and in all classes or not."""

import numpy as np


def chance_agreement(one: np.ndarray, other: np.ndarray, num_classes: int) -> tuple[float, float]:
    r"""Share of places at which two vectors of labels agree if one of them is shuffled.

    With :math:`a_k` and :math:`b_k` labels of class k in the two and :math:`S = \sum_k a_k b_k`, the number of
    agreements X has

    .. math::
        E[X] = \frac{S}{N}, \qquad E[X(X-1)] =
        \frac{\sum_k a_k(a_k-1)\,b_k(b_k-1) + S^2 - \sum_k (a_k b_k)^2}{N(N-1)}

    Args:
        one (np.ndarray): Labels from 0 to K-1, shape (N,).
        other (np.ndarray): Labels from 0 to K-1, shape (N,).
        num_classes (int): Number of classes K.

    Returns:
        tuple[float, float]: Mean and standard deviation of that share over all orders; 0 of empty vectors.
    """
    size = len(one)
    if size == 0:
        return 0.0, 0.0
    a, b = (np.bincount(labels, minlength=num_classes).astype(float) for labels in (one, other))
    both = a * b
    mean = both.sum() / size
    pairs = (a * (a - 1) * b * (b - 1)).sum() + both.sum() ** 2 - (both**2).sum()
    variance = pairs / (size * max(1, size - 1)) + mean - mean**2
    return float(mean / size), float(max(0.0, variance) ** 0.5 / size)  # below 0 by rounding alone


def classes_given_up(predicted: np.ndarray, given: np.ndarray, num_classes: int) -> np.ndarray:
    """Find classes that a network hardly predicts any more, although many labels name them.

    Args:
        predicted (np.ndarray): Predicted labels from 0 to K-1, shape (N,).
        given (np.ndarray): Given labels from 0 to K-1, shape (N,).
        num_classes (int): Number of classes K.

    Returns:
        np.ndarray: Classes with ten given labels or more and less than a tenth as many predictions, shape (n,).
    """
    found, named = (np.bincount(labels, minlength=num_classes) for labels in (predicted, given))
    return np.flatnonzero((named >= 10) & (10 * found < named))
