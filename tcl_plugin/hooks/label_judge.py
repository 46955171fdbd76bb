# SPDX-License-Identifier: Apache-2.0
"""The last word on each label in the table of label quality, put together over batches and processes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from ..detection import LabelPosterior
from ..detection.row_store import RowStore
from .findings import add_up
from .ordered_pass import PassBatch


@dataclass
class Judgement:
    """What :class:`LabelPosterior` says of the labels; rows in the order of the training set.

    Attributes:
        quality (np.ndarray): Probability that the given label is right, float64, shape (N,).
        likely_label (np.ndarray): Likeliest class, int64, shape (N,).
        likely_prob (np.ndarray): Its probability, float64, shape (N,).
    """

    quality: np.ndarray
    likely_label: np.ndarray
    likely_prob: np.ndarray


class LabelJudge:
    """Asks :class:`LabelPosterior` about the labels of one pass."""

    def __init__(self) -> None:
        self._index = RowStore(torch.int64)
        self._posterior = LabelPosterior()

    def watch(self, batches: Iterable[PassBatch]) -> Iterator[PassBatch]:
        """Take in batches that pass by.

        Args:
            batches (Iterable[PassBatch]): This process's batches.

        Yields:
            PassBatch: Each batch as it came.
        """
        for batch in batches:
            self._index.append(batch.index)
            self._posterior.update(batch.probs, batch.labels)
            yield batch

    def judge(self, size: int) -> Judgement:
        """Put the samples of all processes together. All of them must call this.

        Args:
            size (int): Number N of samples of the training set.

        Returns:
            Judgement: The same on every process.
        """
        local, index = self._posterior.compute(), torch.cat(list(self._index))

        def rows(values: torch.Tensor) -> np.ndarray:
            table = values.new_zeros(size)
            table[index] = values
            return add_up(table)

        assert local.suggested_label is not None and local.suggested_prob is not None
        quality, likely_prob = (rows(values).astype(np.float64) for values in (local.scores, local.suggested_prob))
        return Judgement(quality, rows(local.suggested_label), likely_prob)
