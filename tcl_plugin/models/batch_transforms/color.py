# SPDX-License-Identifier: Apache-2.0
"""Colour operations on whole batches."""

import torch
from mmpretrain.registry import BATCH_AUGMENTS
from torch import Generator, Tensor

from ...structures import to_device
from .base import BatchTransform, Params, chance, check_prob, per_image, uniform

# Weights of R, G and B in a grey image (ITU-R BT.601), as torchvision has them.
GRAY = (0.2989, 0.587, 0.114)
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


def to_gray(images: Tensor) -> Tensor:
    """Brightness of each pixel, shape (B, 1, H, W); of one channel, that channel."""
    if images.size(1) == 1:
        return images
    red, green, blue = images.unbind(1)
    return (red * GRAY[0]).add_(green, alpha=GRAY[1]).add_(blue, alpha=GRAY[2]).unsqueeze(1)


def shift_hue(images: Tensor, shift: Tensor) -> Tensor:
    """Turn the hue of RGB images.

    Args:
        images (Tensor): float32, shape (B, 3, H, W).
        shift (Tensor): Part of a full turn, in [-0.5, 0.5], shape (B, 1, 1).

    Returns:
        Tensor: The same shape.
    """
    red, green, blue = images.unbind(1)
    value = images.amax(dim=1)
    chroma = value - images.amin(dim=1)
    # Grey pixels have chroma 0: any hue will do.
    inverse = 1 / chroma.clamp_min(torch.finfo(images.dtype).tiny)
    # In sixths of a turn, from red.
    hue = torch.where(
        value == red,
        (green - blue) * inverse,
        torch.where(value == green, (blue - red) * inverse + 2, (red - green) * inverse + 4),
    )
    hue += 6 * shift
    # A channel is full within a sixth of its own colour, empty beyond two, and linear between.
    return torch.stack([value - chroma * _distance(hue + offset) for offset in (5.0, 3.0, 1.0)], dim=1)


def _distance(turn: Tensor) -> Tensor:
    """How much of the chroma a channel lacks, in [0, 1]."""
    turn = turn.remainder_(6)
    return torch.minimum(turn, 4 - turn).clamp_(0, 1)


@BATCH_AUGMENTS.register_module()
class BatchColorJitter(BatchTransform):
    """Change brightness, contrast, saturation and hue in random order.

    Like torchvision's ``ColorJitter`` on a share of the images. Images of one channel have neither
    saturation nor hue.

    Args:
        brightness (float): Factors are drawn from [1 - brightness, 1 + brightness], from 0 on.
            Defaults to 0.
        contrast (float): The same for contrast. Defaults to 0.
        saturation (float): The same for saturation. Defaults to 0.
        hue (float): Shifts are drawn from [-hue, hue], parts of a full turn. Defaults to 0.
        prob (float): Share of the images that are changed. Defaults to 1.

    Raises:
        ValueError: If a range is negative, ``hue`` lies outside [0, 0.5] or ``prob`` outside
            [0, 1].
    """

    def __init__(
        self,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
        prob: float = 1.0,
    ) -> None:
        if min(brightness, contrast, saturation) < 0 or not 0 <= hue <= 0.5:
            raise ValueError(
                f'brightness, contrast and saturation must not be negative, and hue lie in [0, 0.5], got '
                f'{brightness}, {contrast}, {saturation} and {hue}'
            )
        self.strength = {BRIGHTNESS: brightness, CONTRAST: contrast, SATURATION: saturation, HUE: hue}
        self.active = [op for op, strength in self.strength.items() if strength > 0]
        self.prob = check_prob(prob)

    def draw(self, num_images: int, size: tuple[int, int], generator: Generator) -> Params:
        """Draw what happens to each image.

        Returns:
            Params: ``order`` (B, A) of the A operations in use, int64; ``factor`` (B, 4), of which
            the last is the shift of the hue, float32; and ``jitter`` (B,), bool.
        """
        factor = torch.ones(num_images, 4)
        for op, strength in self.strength.items():
            low, high = (-strength, strength) if op == HUE else (max(0, 1 - strength), 1 + strength)
            factor[:, op] = uniform(num_images, low, high, generator)
        shuffled = torch.rand(num_images, len(self.active), generator=generator).argsort(dim=1)
        order = torch.tensor(self.active, dtype=torch.int64)[shuffled]
        return dict(order=order, factor=factor, jitter=chance(num_images, self.prob, generator))

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Change colours; see :meth:`BatchTransform.apply`."""
        for op in params['order'].unbind(1):
            factor = params['factor'].gather(1, op[:, None]).squeeze(1)
            images = blend(
                images,
                torch.where((op == HUE) | ~params['jitter'], 1.0, factor),
                to_mean=op == CONTRAST,
                to_gray_=op == SATURATION,
            )
            turned = ((op == HUE) & params['jitter']).nonzero().squeeze(1)
            if len(turned) and images.size(1) == 3:
                where = to_device(turned, images.device)
                shift = to_device(factor[turned], images.device).view(-1, 1, 1)
                images[where] = shift_hue(images[where], shift)
        return images


def blend(images: Tensor, factor: Tensor, to_mean: Tensor, to_gray_: Tensor) -> Tensor:
    """Mix each image with black, its mean brightness or its grey version, and clip to [0, 255].

    With black that is a change of brightness, with the mean one of contrast, with the grey version
    one of saturation; with a factor of 0 it makes the image grey.

    Args:
        images (Tensor): Shape (B, C, H, W). They are overwritten.
        factor (Tensor): Share of the image itself, on the CPU, shape (B,).
        to_mean (Tensor): Whether to mix with the mean, bool, on the CPU, shape (B,).
        to_gray_ (Tensor): Whether to mix with the grey version, bool, on the CPU, shape (B,).

    Returns:
        Tensor: The same shape.
    """
    own = per_image(factor, images)
    mean_share = per_image((1 - factor) * to_mean, images)
    gray_share = per_image((1 - factor) * to_gray_, images)
    gray = to_gray(images)
    other = gray * gray_share + gray.mean(dim=(1, 2, 3), keepdim=True) * mean_share
    return torch.addcmul(other, images, own).clamp_(0, 255)


@BATCH_AUGMENTS.register_module()
class BatchRandomGrayscale(BatchTransform):
    """Make images grey, with as many channels as before, like torchvision's ``RandomGrayscale``.

    Args:
        prob (float): Probability. Defaults to 0.1.

    Raises:
        ValueError: If ``prob`` lies outside [0, 1].
    """

    def __init__(self, prob: float = 0.1) -> None:
        self.prob = check_prob(prob)

    def draw(self, num_images: int, size: tuple[int, int], generator: Generator) -> Params:
        """Draw ``gray``, bool, shape (B,)."""
        return dict(gray=chance(num_images, self.prob, generator))

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Make grey; see :meth:`BatchTransform.apply`."""
        return torch.where(per_image(params['gray'], images), to_gray(images), images)


@BATCH_AUGMENTS.register_module()
class BatchRandomSolarize(BatchTransform):
    """Invert all values from a threshold on, like torchvision's ``RandomSolarize``.

    Args:
        threshold (float): The threshold, in [0, 255].
        prob (float): Probability. Defaults to 0.5.

    Raises:
        ValueError: If ``prob`` lies outside [0, 1].
    """

    def __init__(self, threshold: float, prob: float = 0.5) -> None:
        self.threshold = threshold
        self.prob = check_prob(prob)

    def draw(self, num_images: int, size: tuple[int, int], generator: Generator) -> Params:
        """Draw ``solarize``, bool, shape (B,)."""
        return dict(solarize=chance(num_images, self.prob, generator))

    def apply(self, images: Tensor, params: Params) -> Tensor:
        """Invert; see :meth:`BatchTransform.apply`."""
        # Values are not whole numbers here: the threshold is that of the rounded ones.
        high = images >= self.threshold - 0.5
        return torch.where(high & per_image(params['solarize'], images), 255 - images, images)
