# SPDX-License-Identifier: Apache-2.0
"""Communication between processes with gradients, and batch mixing."""

from dataclasses import dataclass

import mmengine.dist as dist
import torch
from torch import Tensor
from torch.distributed.nn import functional as dist_nn


def gather_with_grad(tensor: Tensor) -> Tensor:
    """Concatenate a tensor of all processes; the backward pass sums their gradients.

    Args:
        tensor (Tensor): Shape (B, ...), the same on every process.

    Returns:
        Tensor: Shape (W * B, ...), in order of the ranks; the input itself in a single process.
    """
    if dist.get_world_size() == 1:
        return tensor
    return torch.cat(dist_nn.all_gather(tensor.contiguous()))


def mean_over_processes(tensor: Tensor) -> Tensor:
    """Average a tensor over all processes; the backward pass sums their gradients.

    Args:
        tensor (Tensor): Any shape, the same on every process.

    Returns:
        Tensor: The same shape; the input itself in a single process.
    """
    world_size = dist.get_world_size()
    if world_size == 1:
        return tensor
    return dist_nn.all_reduce(tensor.contiguous()) / world_size


@dataclass
class Mixing:
    """How a batch was mixed: ``mixed = lam * x + (1 - lam) * x[partner]``.

    Attributes:
        lam (float): Own share of each sample, in [0.5, 1].
        partner (Tensor): Index of each sample's partner, shape (B,).
    """

    lam: float
    partner: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Mix images or targets alike.

        Args:
            x (Tensor): Shape (B, ...).

        Returns:
            Tensor: The same shape.
        """
        return self.lam * x + (1 - self.lam) * x[self.partner]


def draw_mixing(batch_size: int, alpha: float, device: torch.device | str = 'cpu') -> Mixing:
    r"""Draw one :math:`\lambda \sim \mathrm{Beta}(\alpha, \alpha)` for the batch, and partners.

    :math:`\lambda` is replaced by :math:`\max(\lambda, 1-\lambda)`, so that a mixed image resembles
    its own image more than its partner (MixMatch, https://arxiv.org/abs/1905.02249).

    Args:
        batch_size (int): Number of samples B.
        alpha (float): Parameter of the Beta distribution; 0 switches mixing off.
        device (torch.device | str): Where the partners are wanted.

    Returns:
        Mixing: The drawn mixing.
    """
    lam = 1.0
    if alpha > 0:
        lam = torch.distributions.Beta(alpha, alpha).sample().item()
        lam = max(lam, 1 - lam)
    return Mixing(lam, torch.randperm(batch_size, device=device))
