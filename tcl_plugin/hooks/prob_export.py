# SPDX-License-Identifier: Apache-2.0
"""Predictions on the whole training set as a file, for programs such as cleanlab."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import mmengine.dist as dist
import numpy as np
import torch

from ..atomic import array_bytes, replacing
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
        folder = Path(folder)
        pieces = self._pieces(len(given), num_classes)
        if not dist.is_main_process():
            for rows in pieces:
                dist.all_reduce(rows)
            return
        with replacing(folder / PROBS_NAME, 'wb') as file:
            # Not mapped into memory: on a full disk a write to a mapped file kills the process without a word.
            shape = (len(given), num_classes)
            np.lib.format.write_array_header_1_0(file, dict(descr='<f4', fortran_order=False, shape=shape))
            for rows in pieces:
                dist.all_reduce(rows)
                file.write(rows.numpy().astype('<f4', copy=False).tobytes())
        with replacing(folder / LABELS_NAME, 'wb') as file:
            file.write(array_bytes(given))

    def _pieces(self, size: int, num_classes: int) -> Iterator[torch.Tensor]:
        """Rows of all samples, one piece after another, with zeros for samples of other processes."""
        step = max(1, VALUES_AT_ONCE // num_classes)
        for start in range(0, size, step):
            rows = torch.zeros(min(step, size - start), num_classes)
            for index, probs in zip(self._index, self._probs, strict=True):
                mine = (index >= start) & (index < start + len(rows))
                rows[index[mine] - start] = probs[mine]
            yield rows
