# SPDX-License-Identifier: Apache-2.0
"""Where the given labels of a dataset come from."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmpretrain.registry import TASK_UTILS

from ..progress import track
from .agreement import chance_agreement
from .images import images_of
from .label_files import read_label_file
from .labels import check_labels
from .open_set import OpenSetNoise, expected_rate
from .sidecar import how_made, read_sidecar, sidecar_path


class LabelSource:
    """Noise, a label file, or the dataset's own labels; and images of another dataset beside any of them.

    Args:
        noise (dict | Callable, optional): See :class:`NoisyLabelDataset`. Defaults to None.
        label_file (str, optional): See :class:`NoisyLabelDataset`. Defaults to None.
        label_key (str, optional): See :class:`NoisyLabelDataset`. Defaults to None.
        open_set (dict | OpenSetNoise, optional): See :class:`NoisyLabelDataset`. Defaults to None.

    Raises:
        TypeError: ``noise`` is no generator, or ``open_set`` no :class:`OpenSetNoise`.
        ValueError: Both ``noise`` and ``label_file`` are given.
    """

    def __init__(
        self,
        noise: dict | Callable | None = None,
        label_file: str | None = None,
        label_key: str | None = None,
        open_set: dict | OpenSetNoise | None = None,
    ) -> None:
        if noise is not None and label_file is not None:
            raise ValueError(
                f'give noise or label_file, not both: got noise={noise!r} and label_file={str(label_file)!r}'
            )
        self.noise: Any = TASK_UTILS.build(noise) if isinstance(noise, dict) else noise
        if self.noise is not None and not callable(self.noise):
            name = noise if isinstance(noise, str) else type(self.noise).__name__
            raise TypeError(
                f"noise must be the config of a generator, such as dict(type='SymmetricNoise'), got {name!r}"
            )
        self.open_set: Any = TASK_UTILS.build(open_set) if isinstance(open_set, dict) else open_set
        if not isinstance(self.open_set, (OpenSetNoise, type(None))):
            raise TypeError(
                f"open_set must be dict(type='OpenSetNoise', dataset=...), got {type(self.open_set).__name__}"
            )
        #: dict, optional: Arguments of the noise besides its seed; None of one that was built elsewhere.
        self.parameters = _parameters(noise)
        self.label_file = label_file
        self.label_key = label_key
        #: dict, optional: How the labels in the file were made, see :func:`how_made`; known once they are read.
        self.made: dict[str, Any] | None = None

    @property
    def knows_truth(self) -> bool:
        """bool: Whether the dataset's own labels are the true ones."""
        return any(part is not None for part in (self.noise, self.label_file, self.open_set))

    @property
    def makes_noise(self) -> bool:
        """bool: Whether labels become wrong here, and not in a file or in the dataset itself."""
        return self.label_file is None and (self.noise is not None or self.open_set is not None)

    def give(self, own: np.ndarray, leaves: list[Any], num_classes: int) -> np.ndarray:
        """Get the given labels.

        Args:
            own (np.ndarray): Labels that the dataset itself has, int64, shape (M,).
            leaves (list[Dataset]): The datasets that hold the images, in the order of ``own``.
            num_classes (int): Number of classes K.

        Returns:
            np.ndarray: Given labels, int64, shape (M,).

        Raises:
            ValueError: The label file does not fit, or the noise made labels of another shape or outside 0..K-1.
        """
        if self.label_file is not None:
            has_open_set = self.open_set is not None
            given = read_label_file(self.label_file, len(own), num_classes, self.label_key, own, has_open_set)
            self.made = how_made(read_sidecar(Path(self.label_file).expanduser()))
            return given
        if self.noise is None:
            return own
        needs_images = getattr(self.noise, 'needs_images', False)
        extra = dict(images=images_of(leaves)) if needs_images else {}
        given = np.asarray(self.noise(own, num_classes, **extra))
        if given.shape != own.shape:
            raise ValueError(f'{self.noise!r} made labels of shape {given.shape}, not {own.shape}')
        return check_labels(given, num_classes, f'labels made by {self.noise!r}')

    def replace_images(self, own: np.ndarray, given: np.ndarray, leaves: list[Any]) -> np.ndarray:
        """Say which images are replaced by which of the other dataset.

        Args:
            own (np.ndarray): Labels that the dataset itself has, int64, shape (M,).
            given (np.ndarray): Given labels, int64, shape (M,).
            leaves (list[Dataset]): The datasets that hold the images.

        Returns:
            np.ndarray: See :meth:`OpenSetNoise.replacements`, int64, shape (R, 2).

        Raises:
            ValueError: The images of the other dataset do not fit.
        """
        if self.open_set is None:
            return np.empty((0, 2), dtype=np.int64)
        self.open_set.full_init()
        pairs = self.open_set.replacements(own, given, self.label_file)
        if len(pairs):
            self.open_set.check_fits(leaves[0].get_data_info(0), type(leaves[0]).__name__)
        return pairs

    def rates(self, own: np.ndarray, num_classes: int, num_replaced: int) -> list[str]:
        """Say how many wrong labels there should be.

        Args:
            own (np.ndarray): Labels that the dataset itself has, int64, shape (N,).
            num_classes (int): Number of classes K.
            num_replaced (int): How many of the N samples have another image.

        Returns:
            list[str]: Nominal and expected noise rate, as far as they follow from the noise alone.
        """
        parts = []
        if getattr(self.noise, 'rate', None) is not None:
            parts.append(f'nominal noise rate {self.noise.rate:.4f}')
        expected = self.expected_rate(own, num_classes, num_replaced)
        if expected is not None:
            parts.append(f'expected {expected:.4f}')
        return parts

    def expected_rate(self, own: np.ndarray, num_classes: int, num_replaced: int) -> float | None:
        """Expected noise rate.

        Args:
            own (np.ndarray): Labels that the dataset itself has, int64, shape (N,).
            num_classes (int): Number of classes K.
            num_replaced (int): How many of the N samples have another image.

        Returns:
            float, optional: The rate, in [0, 1]; None where it does not follow from the noise alone.
        """
        if not self.makes_noise or (self.noise is not None and not hasattr(self.noise, 'expected_rate')):
            return None
        return expected_rate(self.noise, own, num_classes, num_replaced)

    def doubt_order(self, own: np.ndarray, given: np.ndarray, num_classes: int, name: str) -> None:
        """Warn of a label file that agrees with the dataset no more than chance would have it.

        Args:
            own (np.ndarray): Labels that the dataset itself has, int64, shape (M,).
            given (np.ndarray): Given labels, int64, shape (M,).
            num_classes (int): Number of classes K.
            name (str): What to call the dataset.
        """
        if self.label_file is None or sidecar_path(Path(self.label_file).expanduser()).is_file():
            return
        agree = float((own == given).mean()) if len(own) else 1.0
        by_chance, deviation = chance_agreement(own, given, num_classes)
        if agree < 1 and agree <= by_chance + 3 * deviation:
            print_log(
                f'{self}: {100 * (1 - agree):.1f} % of its labels are not those of {name}, as many as would be of '
                'labels in another order, or of another data set: is it the right file?',
                logger='current',
                level=logging.WARNING,
            )

    def describe(self, num_replaced: int) -> str:
        """Name the labels, and the images that come from elsewhere.

        Args:
            num_replaced (int): How many images are replaced.

        Returns:
            str: The names.
        """
        if self.open_set is None:
            return str(self)
        return f'{self} and {self.open_set!r}, which replaces {num_replaced} images'

    def __str__(self) -> str:
        if self.label_file is not None:
            key = f' ({self.label_key})' if self.label_key is not None else ''
            return f'label file {self.label_file}{key}'
        return 'labels of the dataset' if self.noise is None else repr(self.noise)


def _parameters(noise: dict | Callable | None) -> dict[str, Any] | None:
    if isinstance(noise, dict):
        return {key: value for key, value in noise.items() if key not in ('type', 'seed')}
    return {} if noise is None else None


def own_labels(leaves: list[Any], num_classes: int) -> np.ndarray:
    """Read the labels that datasets themselves have.

    Args:
        leaves (list[Dataset]): The datasets, read already.
        num_classes (int): Number of classes K.

    Returns:
        np.ndarray: One label for each image, int64, shape (M,).

    Raises:
        TypeError: A label is not one integer.
        ValueError: A label is missing, or lies outside 0..K-1.
    """
    parts = []
    for leaf in leaves:
        name = f'labels of {type(leaf).__name__}'
        found = [_single_label(leaf.get_data_info(i), i, name) for i in track(range(len(leaf)), name)]
        parts.append(check_labels(np.array(found, dtype=np.int64), num_classes, name))
    return np.concatenate(parts)


def _single_label(info: dict, index: int, source: str) -> int:
    """Take the one integer label out of a data info."""
    if info.get('gt_label') is None:
        raise ValueError(f'{source}: the data info at index {index} has no gt_label')
    label = info['gt_label']
    if np.ndim(label) != 0:
        raise TypeError(
            f'{source}: {label!r} at index {index} is not one label; multi-label datasets are not supported'
        )
    if np.asarray(label).dtype.kind not in 'iu':
        raise TypeError(f'{source}: label {label!r} at index {index} is no integer')
    return int(label)
