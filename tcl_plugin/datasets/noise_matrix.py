# SPDX-License-Identifier: Apache-2.0
"""Label noise that depends on the true class alone, drawn for each sample by itself."""

from abc import abstractmethod
from pathlib import Path

import numpy as np
from mmpretrain.registry import TASK_UTILS

from ..transitions import read_matrix
from .noise import LabelNoise, check_rate


class ClassConditionalNoise(LabelNoise):
    """Base of generators that draw each given label from a row of a K x K matrix."""

    @abstractmethod
    def matrix(self, num_classes: int) -> np.ndarray:
        """Probability of each given label, by true label.

        Args:
            num_classes (int): Number of classes K.

        Returns:
            np.ndarray: float64, shape (K, K); each row sums to 1.

        Raises:
            ValueError: The generator does not suit K.
        """

    def _corrupt(self, labels: np.ndarray, num_classes: int, rng: np.random.RandomState) -> np.ndarray:
        ends = self.matrix(num_classes).cumsum(axis=1)
        draws = rng.random_sample(len(labels))
        given = np.empty_like(labels)
        for label in range(num_classes):
            members = np.flatnonzero(labels == label)
            # A last end may fall short of 1 by rounding; the last possible class takes what lies beyond.
            last = np.flatnonzero(np.diff(ends[label], prepend=0.0))[-1]
            given[members] = np.minimum(np.searchsorted(ends[label], draws[members], side='right'), last)
        return given

    def expected_rate(self, labels: np.ndarray, num_classes: int) -> float:
        """See :meth:`LabelNoise.expected_rate`."""
        wrong = 1 - np.diag(self.matrix(num_classes))
        return float(wrong[labels].mean()) if len(labels) else 0.0


@TASK_UTILS.register_module()
class PairFlipNoise(ClassConditionalNoise):
    """Each label changes to the next class with the probability of the rate, the last to the first.

    The variant of Co-teaching (Han et al., NeurIPS 2018, https://arxiv.org/abs/1804.06872), where
    each sample is drawn by itself.

    Args:
        rate (float): Probability that a label changes, in [0, 1].
        seed (int): Seed of the random stream. Defaults to 0.

    Raises:
        TypeError: ``rate`` is not a number.
        ValueError: ``rate`` is outside [0, 1], or, by a call, K is less than 2.

    Examples:
        >>> PairFlipNoise(rate=0.5)(np.zeros(8, dtype=int), num_classes=10)
        array([1, 1, 1, 1, 0, 1, 0, 1])
    """

    rate: float

    def __init__(self, rate: float, seed: int = 0) -> None:
        super().__init__(seed)
        self.rate = check_rate(rate)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(rate={self.rate:g}, seed={self.seed})'

    def matrix(self, num_classes: int) -> np.ndarray:
        """See :meth:`ClassConditionalNoise.matrix`."""
        if num_classes < 2:
            raise ValueError(f'PairFlipNoise needs two classes or more, got {num_classes}')
        stay = np.eye(num_classes)
        return (1 - self.rate) * stay + self.rate * np.roll(stay, 1, axis=1)


@TASK_UTILS.register_module()
class TransitionMatrixNoise(ClassConditionalNoise):
    """Noise of any transition matrix, each sample drawn by itself.

    Args:
        matrix (list[list[float]] | np.ndarray | str): Probability of given label j for true label
            i in row i and column j; or a ``.npy``, ``.json`` or ``.csv`` file that holds it. See
            :func:`read_matrix`.
        seed (int): Seed of the random stream. Defaults to 0.

    Raises:
        FileNotFoundError: There is no such file.
        TypeError: The entries are not numbers.
        ValueError: The file cannot be read, the matrix is not square, an entry lies outside
            [0, 1], or a row does not sum to 1.
    """

    def __init__(self, matrix: list | np.ndarray | str, seed: int = 0) -> None:
        super().__init__(seed)
        self.source = str(matrix) if isinstance(matrix, (str, Path)) else 'array'
        self._matrix = read_matrix(matrix)

    def matrix(self, num_classes: int) -> np.ndarray:
        """See :meth:`ClassConditionalNoise.matrix`."""
        if len(self._matrix) != num_classes:
            raise ValueError(
                f'transition matrix {self.source} is made for {len(self._matrix)} classes, got {num_classes}'
            )
        return self._matrix

    def __repr__(self) -> str:
        return f'{type(self).__name__}(matrix={self.source}, seed={self.seed})'
