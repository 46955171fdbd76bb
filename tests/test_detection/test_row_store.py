# SPDX-License-Identifier: Apache-2.0
"""Rows come out as they went in, whatever the sizes of batches and blocks."""

import pytest
import torch

from tcl_plugin.detection import row_store
from tcl_plugin.detection.row_store import RowStore


@pytest.mark.parametrize('sizes', [[3], [4, 4, 4, 1], [1, 30, 2], [0, 5, 0], [7] * 9])
def test_keeps_rows(sizes, monkeypatch):
    monkeypatch.setattr(row_store, 'BLOCK_ROWS', 16)
    monkeypatch.setattr(row_store, 'PIECE_ROWS', 5)
    rows = torch.arange(2 * sum(sizes)).float().view(-1, 2)
    store, start = RowStore(torch.float16), 0
    for size in sizes:
        store.append(rows[start : start + size])
        start += size
        assert len(store) == start
    pieces = list(store)
    assert torch.equal(torch.cat(pieces), rows.half())
    assert max(map(len, pieces)) <= 5
    assert all(len(block) <= 16 for block in store._blocks)


def test_an_empty_store_hands_out_nothing():
    assert list(RowStore(torch.int64)) == [] and len(RowStore(torch.int64)) == 0


def test_does_not_share_memory_with_what_came_in():
    rows = torch.ones(3)
    store = RowStore(torch.float32)
    store.append(rows)
    rows.zero_()
    assert torch.cat(list(store)).tolist() == [1, 1, 1]
