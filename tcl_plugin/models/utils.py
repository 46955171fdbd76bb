# SPDX-License-Identifier: Apache-2.0
"""Communication between processes with gradients, and batch mixing."""

from dataclasses import dataclass
from typing import Any

import mmengine.dist as dist
import torch
from torch import Tensor
from torch.autograd import Function


def gather_with_grad(tensor: Tensor) -> Tensor:
    """Concatenate a tensor of all processes; the backward pass sums their gradients.

    Args:
        tensor (Tensor): Shape (B, ...), the same on every process.

    Returns:
        Tensor: Shape (W * B, ...), in order of the ranks; the input itself in a single process.
    """
    if dist.get_world_size() == 1:
        return tensor
    return _Gather.apply(tensor.contiguous())


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
    return _Sum.apply(tensor.contiguous()) / world_size


# torch.distributed.nn has both, and is going away.
class _Gather(Function):
    """Concatenation of all processes' tensors, to whose parts the sums of all processes' gradients go."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return torch.cat(dist.all_gather(tensor))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        grad = grad.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(grad)
        return grad.chunk(dist.get_world_size())[dist.get_rank()]


class _Sum(Function):
    """Sum over all processes, whose gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        grad = grad.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(grad)
        return grad


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
