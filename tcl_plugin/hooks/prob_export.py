# SPDX-License-Identifier: Apache-2.0
"""Predictions on the whole training set as a file, for programs such as cleanlab."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import mmengine.dist as dist
import numpy as np
import torch

from ..detection.row_store import RowStore
from .ordered_pass import PassBatch

PROBS_NAME, LABELS_NAME = 'pred_probs.npy', 'labels.npy'

# Values that are put together at once, so that no process ever holds the whole table.
VALUES_AT_ONCE = 16_000_000


class ProbExport:
    """Keeps the predictions of one pass, and writes those of all processes into one file."""

    def __init__(self) -> None:
        self._index = RowStore(torch.int64)
        self._probs = RowStore(torch.float32)

    def watch(self, batches: Iterable[PassBatch]) -> Iterator[PassBatch]:
        """Keep the predictions of batches that pass by.

        Args:
            batches (Iterable[PassBatch]): This process's batches.

        Yields:
            PassBatch: Each batch as it came.
        """
        for batch in batches:
            self._index.append(batch.index.cpu())
            self._probs.append(batch.probs.cpu())
            yield batch

    def write(self, folder: str | Path, given: np.ndarray, num_classes: int) -> None:
        """Write ``pred_probs.npy`` and ``labels.npy``. All processes must call this; the main one writes.

        Args:
            folder (str | Path): Folder of the files.
            given (np.ndarray): Given labels of the whole training set, int64, shape (N,).
            num_classes (int): Number of classes K.
        """
        folder, size = Path(folder), len(given)
        temporary = folder / f'{PROBS_NAME}.tmp'
        table = None
        if dist.is_main_process():
            table = np.lib.format.open_memmap(temporary, 'w+', dtype=np.float32, shape=(size, num_classes))
        for start, rows in self._pieces(size, num_classes):
            dist.all_reduce(rows)
            if table is not None:
                table[start : start + len(rows)] = rows.numpy()
        if table is not None:
            table.flush()
            os.replace(temporary, folder / PROBS_NAME)
            np.save(folder / LABELS_NAME, given)

    def _pieces(self, size: int, num_classes: int) -> Iterator[tuple[int, torch.Tensor]]:
        """First row, and rows of all samples one piece after another, with zeros for samples of other processes."""
        step = max(1, VALUES_AT_ONCE // num_classes)
        for start in range(0, size, step):
            rows = torch.zeros(min(step, size - start), num_classes)
            for index, probs in zip(self._index, self._probs, strict=True):
                mine = (index >= start) & (index < start + len(rows))
                rows[index[mine] - start] = probs[mine]
            yield start, rows
