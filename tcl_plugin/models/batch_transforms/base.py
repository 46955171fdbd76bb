# SPDX-License-Identifier: Apache-2.0
"""The contract of a transform that treats a whole batch at once, each image with its own parameters."""

from abc import ABC, abstractmethod

import torch
from torch import Generator, Tensor

from ...structures import to_device

Params = dict[str, Tensor]


class BatchTransform(ABC):
    """Draws parameters on the host, one set for each image, and applies them on the device.

    Drawing on the host makes a seed mean the same views on every device, and lets the device be
    asked nothing: no transform waits for it.

    Images are planes of float32 in [0, 255], in RGB, and are not rounded between transforms.
    """

    @abstractmethod
    def draw(self, num_images: int, size: tuple[int, int], generator: Generator) -> Params:
        """Draw parameters.

        Args:
            num_images (int): Number of images B.
            size (tuple[int, int]): Their height and width in pixels.
            generator (Generator): A generator of the CPU.

        Returns:
            Params: Tensors on the CPU whose first dimension is B.
        """

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the results, for images of a height and width; the same by default."""
        return size

    @abstractmethod
    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Transform images.

        Args:
            images (Tensor): float32 in [0, 255], shape (B, C, H, W). They may be overwritten.
            params (Params): What :meth:`draw` has drawn, or a choice of its rows.

        Returns:
            Tensor: float32 in [0, 255], shape (B, C, H', W').
        """


def chance(num_images: int, prob: float, generator: Generator) -> Tensor:
    """Throw a coin for each image.

    Args:
        num_images (int): Number of images B.
        prob (float): Probability of True.
        generator (Generator): A generator of the CPU.

    Returns:
        Tensor: bool, shape (B,).
    """
    return torch.rand(num_images, generator=generator) < prob


def uniform(num_images: int, low: float, high: float, generator: Generator) -> Tensor:
    """Draw one number from [low, high) for each image; float32, shape (B,)."""
    return torch.empty(num_images).uniform_(low, high, generator=generator)


def per_image(tensor: Tensor, images: Tensor) -> Tensor:
    """Bring one number for each image to the device and the number of dimensions of the images."""
    return to_device(tensor, images.device).view(-1, 1, 1, 1)


def check_prob(prob: float) -> float:
    """Return a probability; a number that is none raises ValueError."""
    if not 0 <= prob <= 1:
        raise ValueError(f'prob must lie in [0, 1], got {prob}')
    return prob
