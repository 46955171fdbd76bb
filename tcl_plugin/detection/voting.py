# SPDX-License-Identifier: Apache-2.0
"""The vote of nearest neighbours on classes."""

from collections.abc import Iterator

import mmengine.dist as dist
import torch
import torch.nn.functional as F
from torch import Tensor

from .row_store import PIECE_ROWS


def check_vote(k: int, temperature: float | None) -> None:
    """Check the settings of a vote.

    Args:
        k (int): Number of neighbours.
        temperature (float, optional): See :func:`class_votes`.

    Raises:
        ValueError: If one is out of its range.
    """
    if k < 1:
        raise ValueError(f'k must be 1 or more, got {k}')
    if temperature is not None and not temperature > 0:
        raise ValueError(f'temperature must be None or positive, got {temperature}')


def class_votes(
    similarity: Tensor, position: Tensor, voters: Tensor, num_classes: int, temperature: float | None
) -> Iterator[Tensor]:
    """Shares of the classes in each sample's vote.

    Args:
        similarity (Tensor): Cosine similarity of each neighbour, float32, shape (n, k).
        position (Tensor): Positions of neighbours among all N samples, int64, shape (n, k).
        voters (Tensor): Label of each of these, int64, shape (N,); see :func:`of_all_processes`.
        num_classes (int): Number of classes K.
        temperature (float, optional): A neighbour's vote weighs exp(similarity / temperature); all weigh the same
            with None.

    Yields:
        Tensor: Shares that add up to one, float32, in pieces of shape (P, K).
    """
    for near, where in zip(similarity.split(PIECE_ROWS), position.split(PIECE_ROWS), strict=True):
        # Of sums of weights only ratios count: softmax is the one that cannot overflow.
        logits = torch.zeros_like(near) if temperature is None else near / temperature
        votes = near.new_zeros(len(near), num_classes)
        yield votes.scatter_add_(1, voters[where], F.softmax(logits, dim=1))


def of_all_processes(labels: Tensor) -> Tensor:
    """Put the labels of all processes one after another, as :func:`nearest_neighbors` counts positions.

    Args:
        labels (Tensor): Those of this process, int64, shape (n,).

    Returns:
        Tensor: Those of all, shape (N,).
    """
    if dist.get_world_size() == 1:
        return labels
    parts = []
    for rank, size in enumerate(dist.all_gather_object(len(labels))):
        part = labels.clone() if rank == dist.get_rank() else labels.new_empty(size)
        dist.broadcast(part, src=rank)
        parts.append(part)
    return torch.cat(parts)
