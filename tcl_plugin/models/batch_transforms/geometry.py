# SPDX-License-Identifier: Apache-2.0
"""Crops, flips and scaling of whole batches."""

import math

import torch
from mmpretrain.registry import BATCH_AUGMENTS
from torch import Generator, Tensor

from ...structures import to_device
from .base import BatchTransform, Params, chance, check_prob, per_image

# As often as torchvision tries to find a crop of the drawn area and shape.
TRIES = 10


@BATCH_AUGMENTS.register_module()
class BatchRandomFlip(BatchTransform):
    """Mirror images left to right, like torchvision's ``RandomHorizontalFlip``.

    Args:
        prob (float): Probability of a flip. Defaults to 0.5.

    Raises:
        ValueError: If ``prob`` lies outside [0, 1].
    """

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = check_prob(prob)

    def draw(self, num_images: int, size: tuple[int, int], generator: Generator) -> Params:
        """Draw ``flip``, bool, shape (B,)."""
        return dict(flip=chance(num_images, self.prob, generator))

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Flip; see :meth:`BatchTransform.apply`."""
        return torch.where(per_image(params['flip'], images), images.flip(-1), images)


@BATCH_AUGMENTS.register_module()
class BatchRandomCrop(BatchTransform):
    """Pad with black and cut out a square, like torchvision's ``RandomCrop``.

    Args:
        size (int): Side of the square in pixels.
        padding (int): Pixels added on each side before. Defaults to 0.

    Raises:
        ValueError: If ``size`` is not positive or ``padding`` is negative, or, by :meth:`draw`, if
            the padded images are smaller than the square.
    """

    def __init__(self, size: int, padding: int = 0) -> None:
        if size < 1 or padding < 0:
            raise ValueError(f'size must be positive and padding not negative, got {size} and {padding}')
        self.size = size
        self.padding = padding

    def draw(self, num_images: int, size: tuple[int, int], generator: Generator) -> Params:
        """Draw ``top`` and ``left``, in pixels of the padded image, int64, shape (B,)."""
        room = [side + 2 * self.padding - self.size for side in size]
        if min(room) < 0:
            raise ValueError(
                f'images of {size[0]} x {size[1]} pixels, padded by {self.padding}, are smaller than {self.size}'
            )
        top, left = (torch.randint(end + 1, (num_images,), generator=generator) for end in room)
        return dict(top=top, left=left)

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The square."""
        return self.size, self.size

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Crop; see :meth:`BatchTransform.apply`."""
        padded = torch.nn.functional.pad(images, [self.padding] * 4)
        span = torch.arange(self.size, device=images.device)
        rows = per_image(params['top'], images) + span[:, None]
        columns = per_image(params['left'], images) + span
        strips = padded.gather(2, rows.expand(-1, padded.size(1), -1, padded.size(3)))
        return strips.gather(3, columns.expand(-1, strips.size(1), self.size, -1))


@BATCH_AUGMENTS.register_module()
class BatchRandomResizedCrop(BatchTransform):
    r"""Cut out a rectangle and scale it to a square, like torchvision's ``RandomResizedCrop``.

    Bilinear interpolation, with a triangle filter where it shrinks (torchvision's ``antialias``).
    It is linear and works on rows and columns apart, so that each image needs two small matrices,
    :math:`Y = M_{rows} X M_{columns}^\top`, and a batch two batched matrix products.

    Args:
        size (int): Side of the square in pixels.
        scale (tuple[float, float]): Range of the rectangle's share of the area. Defaults to
            (0.08, 1.0).
        ratio (tuple[float, float]): Range of width / height. Defaults to (3 / 4, 4 / 3).

    Raises:
        ValueError: If a range is not one of positive numbers, or ``size`` is not positive.
    """

    def __init__(
        self, size: int, scale: tuple[float, float] = (0.08, 1.0), ratio: tuple[float, float] = (3 / 4, 4 / 3)
    ) -> None:
        if size < 1 or not 0 < scale[0] <= scale[1] or not 0 < ratio[0] <= ratio[1]:
            raise ValueError(f'no crop can be drawn with size {size}, scale {scale}, ratio {ratio}')
        self.size = size
        self.scale = tuple(scale)
        self.ratio = tuple(ratio)

    def draw(self, num_images: int, size: tuple[int, int], generator: Generator) -> Params:
        """Draw ``top``, ``left``, ``height`` and ``width`` in pixels, int64, shape (B,)."""
        full_height, full_width = size
        shape = (num_images, TRIES)
        area = full_height * full_width * torch.empty(shape).uniform_(*self.scale, generator=generator)
        log_ratio = [math.log(end) for end in self.ratio]
        aspect = torch.empty(shape).uniform_(*log_ratio, generator=generator).exp()
        width, height = (area * aspect).sqrt().round().long(), (area / aspect).sqrt().round().long()
        fits = (width > 0) & (width <= full_width) & (height > 0) & (height <= full_height)
        first = fits.byte().argmax(dim=1, keepdim=True)
        width, height = width.gather(1, first).squeeze(1), height.gather(1, first).squeeze(1)
        # Uniform over the places that this rectangle has.
        where = torch.rand(2, num_images, generator=generator)
        top = (where[0] * (full_height - height + 1)).long()
        left = (where[1] * (full_width - width + 1)).long()
        centre = self._central_crop(full_height, full_width)
        drawn = dict(top=top, left=left, height=height, width=width)
        found = fits.any(dim=1)
        return {name: torch.where(found, value, centre[name]) for name, value in drawn.items()}

    def _central_crop(self, full_height: int, full_width: int) -> dict[str, int]:
        """The largest central rectangle of an allowed shape, for images in which no crop was found."""
        height, width = full_height, full_width
        if full_width / full_height < self.ratio[0]:
            height = round(full_width / self.ratio[0])
        elif full_width / full_height > self.ratio[1]:
            width = round(full_height * self.ratio[1])
        return dict(top=(full_height - height) // 2, left=(full_width - width) // 2, height=height, width=width)

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The square."""
        return self.size, self.size

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Crop and scale; see :meth:`BatchTransform.apply`."""
        channels, full_height, full_width = images.shape[1:]
        top, left, height, width = (
            to_device(params[name], images.device) for name in ('top', 'left', 'height', 'width')
        )
        rows = interpolation_matrices(top, height, full_height, self.size)
        columns = interpolation_matrices(left, width, full_width, self.size)
        # All channels of an image share its matrices.
        narrow = images.reshape(-1, channels * full_height, full_width) @ columns.transpose(1, 2)
        return rows[:, None] @ narrow.view(-1, channels, full_height, self.size)


def interpolation_matrices(start: Tensor, length: Tensor, full: int, size: int) -> Tensor:
    """Weights by which each pixel of a scaled line is made of the pixels of a part of the line.

    Args:
        start (Tensor): First pixel of the part, shape (B,).
        length (Tensor): Number of its pixels, shape (B,).
        full (int): Number of pixels of the line.
        size (int): Number of pixels of the scaled line.

    Returns:
        Tensor: float32, shape (B, size, full); each row sums to 1.
    """
    device = start.device
    scale = (length / size)[:, None, None]
    # Positions within the part, of pixel centres: as torchvision does without `align_corners`.
    centre = (torch.arange(size, device=device)[:, None] + 0.5) * scale - 0.5
    pixel = torch.arange(full, device=device) - start[:, None, None]
    inside = (pixel >= 0) & (pixel < length[:, None, None])
    if_shrunk = 1 - (pixel - centre).abs() / scale.clamp_min(1)
    # Where it enlarges, positions beyond the outermost centres take the outermost pixel.
    last = (length - 1)[:, None, None]
    if_enlarged = 1 - (pixel - torch.minimum(centre.clamp_min(0), last)).abs()
    weights = torch.where(scale > 1, if_shrunk, if_enlarged).clamp_min(0) * inside
    return weights / weights.sum(dim=2, keepdim=True)
