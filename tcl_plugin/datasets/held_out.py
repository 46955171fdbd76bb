# SPDX-License-Identifier: Apache-2.0
"""Which images of a noisy training set are held out."""

from numbers import Real

import numpy as np

from .noise import share_of


def check_share(share: float) -> float:
    """Check the share of images to hold out.

    Args:
        share (float): The share.

    Returns:
        float: The share.

    Raises:
        TypeError: If it is no number.
        ValueError: If it is not in [0, 1).
    """
    if isinstance(share, bool) or not isinstance(share, Real):
        raise TypeError(f'held_out must be a number, got {share!r}')
    if not 0 <= share < 1:
        raise ValueError(f'held_out must be a share of the images, at least 0 and below 1, got {share}')
    return float(share)


def draw_held_out(num_images: int, share: float, seed: int) -> np.ndarray:
    """Draw images to hold out, none of them twice.

    Args:
        num_images (int): Number of distinct images M.
        share (float): Share of them, in [0, 1).
        seed (int): Seed.

    Returns:
        np.ndarray: Which are held out, bool, shape (M,); see :func:`share_of`; the same ones on every machine.

    Raises:
        ValueError: If a share above 0 is less than an image, or leaves none.
    """
    chosen, count = np.zeros(num_images, dtype=bool), share_of(share, num_images)
    if share and not 0 < count < num_images:
        raise ValueError(f'held_out={share} holds out {count} of {num_images} images')
    # A stream of its own: that of the seed alone draws the noise.
    rng = np.random.RandomState([seed, 2])
    chosen[rng.permutation(num_images)[:count]] = True
    return chosen
