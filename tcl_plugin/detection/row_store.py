# SPDX-License-Identifier: Apache-2.0
"""Keeps the rows of many batches without knowing how many will come."""

from collections.abc import Iterator

import torch
from torch import Tensor

# Largest block. Temporary tensors between small ones would leave holes in memory that nothing fits into.
BLOCK_ROWS = 65_536
# Rows that are handed out at once, so that what is computed from them stays small.
PIECE_ROWS = 8_192


class RowStore:
    """Rows of one type, in a few blocks of growing size.

    Args:
        dtype (torch.dtype): Type in which rows are kept.
    """

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self._blocks: list[Tensor] = []
        self._free = 0  # rows at the end of the last block

    def __len__(self) -> int:
        return sum(map(len, self._blocks)) - self._free

    def append(self, rows: Tensor) -> None:
        """Keep rows.

        Args:
            rows (Tensor): Shape (B, ...); the same but for B at each call.
        """
        while len(rows):
            if not self._free:
                self._free = min(BLOCK_ROWS, max(len(rows), len(self)))
                self._blocks.append(rows.new_empty(self._free, *rows.shape[1:], dtype=self.dtype))
            block, number = self._blocks[-1], min(self._free, len(rows))
            start = len(block) - self._free
            block[start : start + number] = rows[:number]
            self._free -= number
            rows = rows[number:]

    def __iter__(self) -> Iterator[Tensor]:
        """Hand out the rows in order, in pieces of shape (P, ...)."""
        for block in self._blocks:
            filled = block[: len(block) - self._free] if block is self._blocks[-1] else block
            yield from filled.split(PIECE_ROWS)
