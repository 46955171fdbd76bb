# SPDX-License-Identifier: Apache-2.0
"""The images of a dataset as they are before any pipeline, for noise that depends on them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmcv.transforms import LoadImageFromFile


def images_of(leaves: list[Any]) -> Iterator[np.ndarray]:
    """Go through the images of datasets, one after another, keeping none of them.

    Args:
        leaves (list): Datasets that hold images, see :class:`LeafTable`.

    Yields:
        np.ndarray: An image, uint8, shape (H, W, C) or (H, W): ``img`` of the data info where it
        has one (in the dataset's order of channels), otherwise the file at ``img_path`` as
        ``LoadImageFromFile`` reads it without arguments (three channels, BGR).

    Raises:
        FileNotFoundError: An image file is missing.
        TypeError: ``img`` is no array of uint8.
        ValueError: A data info has neither.
    """
    load = LoadImageFromFile()
    for leaf in leaves:
        for index in range(len(leaf)):
            info, where = leaf.get_data_info(index), f'{type(leaf).__name__}, index {index}'
            if info.get('img') is None:
                if info.get('img_path') is None:
                    raise ValueError(
                        f'{where}: the data info has neither img nor img_path, but the noise needs images'
                    )
                info = load(info)
            yield _checked(info['img'], where)


def _checked(image: object, where: str) -> np.ndarray:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        found = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise TypeError(f'{where}: img must be an array of uint8 for the noise, got {found}')
    return image


def resize_area(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an image: each new pixel is the mean of the area that it covers, rounded half up.

    The arithmetic is that of whole numbers, so that the result is the same on every machine and in
    every release, which the resizing of image libraries does not promise.

    Args:
        image (np.ndarray): The image, uint8, shape (H, W, C).
        height (int): New height h.
        width (int): New width w.

    Returns:
        np.ndarray: The image, uint8, shape (h, w, C).
    """
    rows, columns = _overlaps(image.shape[0], height), _overlaps(image.shape[1], width)
    # Sums of whole numbers below 2**53: float64 holds them exactly, in whatever order they are added up.
    sums = np.einsum('iy,yxc->ixc', rows, image, dtype=np.float64, optimize=True)
    sums = np.einsum('jx,ixc->ijc', columns, sums, optimize=True).astype(np.int64)
    area = image.shape[0] * image.shape[1]
    return ((2 * sums + area) // (2 * area)).astype(np.uint8)


def _overlaps(old: int, new: int) -> np.ndarray:
    """How much of each old pixel a new one covers, in parts of 1 / new; float64, shape (new, old)."""
    i, j = np.arange(new)[:, None], np.arange(old)
    overlap = np.minimum((i + 1) * old, (j + 1) * new) - np.maximum(i * old, j * new)
    return np.maximum(overlap, 0).astype(np.float64)
