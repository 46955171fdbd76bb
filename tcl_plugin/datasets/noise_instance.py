# SPDX-License-Identifier: Apache-2.0
"""Label noise that depends on the image."""

from collections.abc import Iterable
from math import isfinite
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from mmpretrain.registry import TASK_UTILS
from scipy.special import ndtr, ndtri, softmax

from ..progress import progress, track
from .images import resize_area
from .noise import LabelNoise, check_rate

# How many images are floats at a time.
_CHUNK = 1024


@TASK_UTILS.register_module()
class InstanceDependentNoise(LabelNoise):
    """Noise whose rate is each sample's own, and whose wrong class follows from the pixels.

    The noise of "Part-dependent Label Noise" (Xia et al., NeurIPS 2020,
    https://arxiv.org/abs/2006.07836). A sample with pixels x (a row of d numbers) and
    true label y gets a wrong label with the probability q, drawn from the normal distribution of
    mean ``rate`` and standard deviation ``std``, truncated to [0, 1]. Its given label is drawn from

    .. math::
        p_y = 1 - q, \\qquad p_j = q \\, \\mathrm{softmax}_{j \\ne y} (x W_y)_j

    with one matrix :math:`W_y \\sim N(0, 1)^{d \\times K}` for each class. Products xW of many
    pixels are far apart, so that nearly all of q falls to one wrong class for each image.

    Circulating codes feed x in different ways (scaled to [0, 1], normalised, or even augmented) and
    so make different noise from one seed. Here x is fixed: the uint8 image as the dataset has it
    before any pipeline, shape (H, W, C), flattened in C order (rows, then columns, then channels in
    the dataset's own order: RGB for CIFAR, BGR for image files) and divided by 255.

    All numbers are float64 on the CPU, and the random stream is read in this order: N uniform
    numbers that become the q (by the inverse distribution function), N uniform numbers that choose
    the given labels (the first class at which the sum of p exceeds the number), then
    :math:`W_0, ..., W_{K-1}`, each row by row and whether or not its class has samples. Another
    BLAS or C library may round the last bits of W and xW otherwise, which moves the ends of the
    intervals by 1e-14 or so. That changes a label only if its uniform number lies in between: for
    50,000 images, the chance that any label differs is of the order of 1e-10.
    That holds for images that come as arrays, or as files without loss. Of a JPEG two builds of a
    decoder make pixels that differ by a grey value here and there, and labels with them.
    ``tools/make_noise.py`` settles the labels once and for all.

    Memory: the images as uint8 (150 MB for CIFAR) and one W at a time.

    Args:
        rate (float): Mean of q before truncation, in [0, 1]. The expected noise rate is nearly the
            same from 0.3 to 0.7 at the usual ``std``, and moves towards 0.5 outside.
        seed (int): Seed of the random stream. Defaults to 0.
        std (float): Standard deviation of q before truncation. Defaults to 0.1, the paper's; 0
            makes q the rate for all samples.
        size (int | tuple[int, int], optional): Height and width (one number for both) to which
            images are brought by :func:`resize_area` before they become x. Needed where they differ
            in size, and wise where they are large. Defaults to None, images as they are.

    Raises:
        TypeError: ``rate``, ``std`` or ``size`` is not a number, or, by a call, an image is not
            uint8.
        ValueError: ``rate`` is outside [0, 1], ``std`` is negative or infinite, ``size`` is not
            positive; or, by a call, K is less than 2, images differ in shape, or their number is
            not that of the labels.
    """

    needs_images: ClassVar[bool] = True
    rate: float
    std: float
    size: tuple[int, int] | None

    def __init__(
        self, rate: float, seed: int = 0, std: float = 0.1, size: int | tuple[int, int] | None = None
    ) -> None:
        super().__init__(seed)
        self.rate = check_rate(rate)
        if isinstance(std, bool) or not isinstance(std, Real):
            raise TypeError(f'std of the noise must be a number >= 0, got {std!r}')
        if not (isfinite(std) and std >= 0):
            raise ValueError(f'std of the noise must be a finite number >= 0, got {std}')
        self.std = float(std)
        self.size = _check_size(size)

    def _corrupt(  # type: ignore[override]  # needs_images: the base calls it with the images
        self, labels: np.ndarray, num_classes: int, rng: np.random.RandomState, images: Iterable[np.ndarray]
    ) -> np.ndarray:
        if num_classes < 2:
            raise ValueError(f'InstanceDependentNoise needs two classes or more, got {num_classes}')
        pixels = self._pixels(images, len(labels))
        wrong = self._truncated_normal(rng.random_sample(len(labels)))
        draws = rng.random_sample(len(labels))
        given = np.empty_like(labels)
        with progress('noisy labels', len(labels)) as advance:
            for label in range(num_classes):
                weight = rng.standard_normal((pixels.shape[1], num_classes))
                members = np.flatnonzero(labels == label)
                for start in range(0, len(members), _CHUNK):
                    chunk = members[start : start + _CHUNK]
                    scores = (pixels[chunk] / 255.0) @ weight
                    given[chunk] = _draw(scores, label, wrong[chunk], draws[chunk])
                    advance(len(chunk))
        return given

    def expected_rate(self, labels: np.ndarray, num_classes: int) -> float:
        """Mean of the truncated normal distribution; see :meth:`LabelNoise.expected_rate`."""
        if self.std == 0:
            return self.rate
        low, high = self._bounds()
        density = np.exp([-0.5 * low**2, -0.5 * high**2]) / np.sqrt(2 * np.pi)
        return float(self.rate + self.std * (density[0] - density[1]) / (ndtr(high) - ndtr(low)))

    def _bounds(self) -> tuple[float, float]:
        """0 and 1 in standard deviations from the rate."""
        return -self.rate / self.std, (1 - self.rate) / self.std

    def _truncated_normal(self, uniform: np.ndarray) -> np.ndarray:
        """Turn uniform numbers into those of the truncated normal distribution, shape (N,)."""
        if self.std == 0:
            return np.full(len(uniform), self.rate)
        low, high = ndtr(self._bounds())
        return np.clip(self.rate + self.std * ndtri(low + uniform * (high - low)), 0, 1)

    def _pixels(self, images: Iterable[np.ndarray], num_samples: int) -> np.ndarray:
        """Flatten all images, uint8, shape (N, d)."""
        pixels, shape, count = np.empty((num_samples, 0), dtype=np.uint8), None, 0
        for count, image in enumerate(track(images, 'images to make noise of', num_samples), 1):
            image = self._prepare(image, count - 1)
            if shape is None:
                shape, pixels = image.shape, np.empty((num_samples, image.size), dtype=np.uint8)
            if image.shape != shape:
                hint = '; set size=(height, width) to make noise of resized images' if self.size is None else ''
                raise ValueError(
                    f'InstanceDependentNoise: image {count - 1} has shape {image.shape}, but image 0 {shape}{hint}'
                )
            if count > num_samples:
                break
            pixels[count - 1] = image.ravel()
        if count != num_samples:
            raise ValueError(
                f'InstanceDependentNoise: got {num_samples} labels, but '
                f'{count if count < num_samples else "more"} images'
            )
        return pixels

    def _prepare(self, image: np.ndarray, index: int) -> np.ndarray:
        """Bring an image to three dimensions, and to the size."""
        image = np.asarray(image)
        if image.dtype != np.uint8:
            raise TypeError(f'InstanceDependentNoise: image {index} must be uint8, got {image.dtype}')
        if image.ndim == 2:
            image = image[..., None]
        if image.ndim != 3:
            raise ValueError(f'InstanceDependentNoise: image {index} must be (H, W, C), got shape {image.shape}')
        return image if self.size is None else resize_area(image, *self.size)

    def __repr__(self) -> str:
        size = '' if self.size is None else f', size={self.size}'
        return f'{type(self).__name__}(rate={self.rate:g}, std={self.std:g}{size}, seed={self.seed})'


def _draw(scores: np.ndarray, label: int, wrong: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Draw given labels for B samples of one class.

    Args:
        scores (np.ndarray): xW, shape (B, K); changed in place.
        label (int): The true label.
        wrong (np.ndarray): q, shape (B,).
        draws (np.ndarray): Uniform numbers, shape (B,).

    Returns:
        np.ndarray: Given labels, shape (B,).
    """
    scores[:, label] = -np.inf
    probs = wrong[:, None] * softmax(scores, axis=1)
    probs[:, label] = 1 - wrong
    # The sum may fall short of 1 by rounding; the last possible class takes what lies beyond.
    last = probs.shape[1] - 1 - (probs > 0)[:, ::-1].argmax(axis=1)
    return np.minimum((probs.cumsum(axis=1) <= draws[:, None]).sum(axis=1), last)


def _check_size(size: int | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    pair = (size, size) if isinstance(size, Integral) else tuple(size) if isinstance(size, (list, tuple)) else ()
    if len(pair) != 2 or not all(isinstance(n, Integral) and not isinstance(n, bool) for n in pair):
        raise TypeError(f'size must be a whole number or (height, width), got {size!r}')
    if min(pair) < 1:
        raise ValueError(f'size must be positive, got {size!r}')
    return int(pair[0]), int(pair[1])
