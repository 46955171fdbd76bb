# SPDX-License-Identifier: Apache-2.0
"""Exact nearest neighbours over the samples of all processes, in pieces."""

from collections.abc import Iterator

import mmengine.dist as dist
import torch
from torch import Tensor

from .row_store import RowStore

# Rows compared at once: the table of similarities has so many rows and columns at most.
QUERY_ROWS = 4_096


def nearest_neighbors(features: RowStore, k: int, queries: RowStore | None = None) -> tuple[Tensor, Tensor]:
    """Find the k nearest neighbours of this process's samples, or of others, among the samples of all processes.

    Representations travel piece by piece, and no process ever holds those of another as a whole,
    or a table of N x N. What is kept is n x k.

    Args:
        features (RowStore): This process's unit-length representations, rows of shape (D,).
        k (int): Number of neighbours.
        queries (RowStore, optional): Other representations, whose neighbours are looked for; one or more on each
            process. Defaults to None, those of this process's samples themselves.

    Returns:
        tuple[Tensor, Tensor]: Cosine similarity of each neighbour, float32, and its position in the
        samples of all processes one after another, int64; both of shape (n, k), nearest first.
        No sample is its own neighbour: with N - 1 < k samples there are N - 1 columns, and N for other queries.
    """
    sizes = dist.all_gather_object(len(features))
    first = sum(sizes[: dist.get_rank()])  # position of this process's first sample
    k = min(k, sum(sizes) - (queries is None))
    best: list[tuple[Tensor, Tensor]] | None = None
    start = 0
    for piece in _pieces_of_all(features):
        found = [
            _nearest_in(rows, piece, start - first - row if queries is None else None, k, start)
            for row, rows in _queries(features if queries is None else queries)
        ]
        best = found if best is None else [_merge(old, new, k) for old, new in zip(best, found, strict=True)]
        start += len(piece)
    assert best is not None  # with k >= 1 there is a piece
    similarity, position = (torch.cat(parts) for parts in zip(*best, strict=True))
    return similarity, position


def _queries(features: RowStore) -> Iterator[tuple[int, Tensor]]:
    """Rows in chunks, each with its first row's number."""
    row = 0
    for piece in features:
        for queries in piece.split(QUERY_ROWS):
            yield row, queries.float()
            row += len(queries)


def _pieces_of_all(features: RowStore) -> Iterator[Tensor]:
    """The rows of all processes in order, in pieces of float32."""
    if dist.get_world_size() == 1:
        for piece in features:
            yield piece.float()
        return
    own = list(features)
    shapes = dist.all_gather_object([tuple(piece.shape) for piece in own])
    for rank, pieces in enumerate(shapes):
        for number, shape in enumerate(pieces):
            piece = own[number].float().contiguous() if rank == dist.get_rank() else own[0].new_empty(shape).float()
            dist.broadcast(piece, src=rank)
            yield piece


def _nearest_in(queries: Tensor, piece: Tensor, offset: int | None, k: int, start: int) -> tuple[Tensor, Tensor]:
    """Nearest rows of one piece.

    Args:
        queries (Tensor): Shape (Q, D).
        piece (Tensor): Shape (P, D).
        offset (int, optional): Position of the piece's first row, counted from the first query; None where queries
            are not among the rows.
        k (int): Number of neighbours.
        start (int): Position of the piece's first row among all samples.

    Returns:
        tuple[Tensor, Tensor]: Similarities and positions, each (Q, min(k, P)).
    """
    similarity = queries @ piece.t()
    if offset is not None:
        row = torch.arange(len(queries), device=queries.device)
        column = row - offset
        itself = (column >= 0) & (column < len(piece))
        similarity[row[itself], column[itself]] = float('-inf')
    value, index = similarity.topk(min(k, len(piece)), dim=1)
    return value, index + start


def _merge(old: tuple[Tensor, Tensor], new: tuple[Tensor, Tensor], k: int) -> tuple[Tensor, Tensor]:
    """The k best of two sets of neighbours of the same queries."""
    value, position = torch.cat([old[0], new[0]], dim=1), torch.cat([old[1], new[1]], dim=1)
    value, index = value.topk(min(k, value.size(1)), dim=1)
    return value, position.gather(1, index)
