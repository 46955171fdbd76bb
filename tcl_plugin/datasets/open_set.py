# SPDX-License-Identifier: Apache-2.0
"""Open-set noise: images that belong to none of the classes, under the labels of those that they replace."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from mmpretrain.registry import DATASETS, TASK_UTILS

from .label_files import read_open_noise
from .labels import NO_CLASS
from .leaves import leaf_table
from .noise import check_rate, check_seed, share_of
from .sidecar import check_other_images, read_sidecar


@TASK_UTILS.register_module()
class OpenSetNoise:
    """Replace images by those of another dataset; the labels stay.

    What SSR calls open-set noise (Feng et al., BMVC 2022, https://arxiv.org/abs/2111.11288).
    :class:`NoisyLabelDataset` takes it beside its closed-set noise, which runs over all N images
    first, as if there were no other. Of the images whose given label is then still the dataset's
    own, floor(rate * N) are chosen at random, without replacement, and each is replaced by another
    image of the other dataset, in random order. So no sample has both kinds of noise, and both
    rates are shares of all N. SSR's total noise r with an open-set share of ``on`` is

    - ``rate = on * r`` here, and
    - ``rate = (1 - on) * r`` of :class:`SymmetricNoise`.

    Its label file (``open_noise``) is used as it is if ``rate`` is None, see
    :func:`read_label_file`: each pair is the index of the image that is replaced, and that of the
    image of the other dataset.

    No label is right for a sample whose image is replaced: its true label is -1. Choose a dataset
    that shares no class with the inner one; nothing here can tell.

    An image of the other dataset passes that dataset's own pipeline (which is where to resize it),
    and then that of the inner dataset like all others. Both must be arrays (``img``, as those of
    CIFAR), or both files (``img_path``, which the inner dataset's pipeline loads); channels must be
    in the same order.

    Args:
        dataset (dict | Dataset): Config of the other dataset, or a built one. Its labels are not
            used.
        rate (float, optional): Share of all images that are replaced, in [0, 1]. Defaults to None:
            the label file says which.
        seed (int): Seed of the random stream. Defaults to 0.

    Raises:
        TypeError: ``dataset`` is no dataset, or ``rate`` or ``seed`` no number.
        ValueError: ``rate`` or ``seed`` is outside its range.
    """

    def __init__(self, dataset: dict | Any, rate: float | None = None, seed: int = 0) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        if not hasattr(self.dataset, 'full_init'):
            raise TypeError(
                f'dataset of OpenSetNoise must be a config or a dataset of mmengine, got {type(self.dataset).__name__}'
            )
        self.rate = None if rate is None else check_rate(rate)
        self.seed = check_seed(seed)

    def full_init(self) -> None:
        """Initialise the other dataset."""
        self.dataset.full_init()
        self._table = leaf_table(self.dataset)

    def __len__(self) -> int:
        return len(self.dataset)

    def replacements(self, own: np.ndarray, given: np.ndarray, label_file: str | None = None) -> np.ndarray:
        """Say which images are replaced by which; after :meth:`full_init`.

        Args:
            own (np.ndarray): Labels that the inner dataset itself has, shape (N,).
            given (np.ndarray): Given labels after closed-set noise, shape (N,).
            label_file (str, optional): Label file that may name the images. Defaults to None.

        Returns:
            np.ndarray: Indices of the replaced images and of those that come in their place, int64,
            shape (R, 2).

        Raises:
            TypeError: Indices in the label file are not integers.
            ValueError: Rate and label file both say which images, or neither does; the label file
                names an image that is not there, or replaces one twice, or its sidecar says that the images
                are of another dataset; or there are too few images to choose from.
        """
        named = None if label_file is None else read_open_noise(label_file, len(own), len(self))
        if named is not None and self.rate is not None:
            raise ValueError(f'label file {label_file} names the images to replace: leave out rate of {self!r}')
        if named is not None:
            self._check_names_these(label_file)
            return named
        if self.rate is None:
            raise ValueError(
                f'{self!r} needs a rate'
                + ('' if label_file is None else f', since label file {label_file} has no open_noise')
            )
        return self._draw(own, given)

    def _check_names_these(self, label_file: Any) -> None:
        path = Path(label_file).expanduser()
        sidecar = read_sidecar(path)
        # Labels are read for that alone, and a dataset of many images takes its time.
        labels = self.labels() if sidecar is not None and 'open_set_labels_sha256' in sidecar else None
        check_other_images(path, sidecar, len(self), labels)

    def labels(self, indices: Iterable[int] | None = None) -> np.ndarray | None:
        """Get the labels that the other dataset has, by which it can be told from others; after :meth:`full_init`.

        Args:
            indices (Iterable[int], optional): Of which images. Defaults to None, of all.

        Returns:
            np.ndarray, optional: The labels, int64, shape (M,); None if not every image has one integer.
        """
        indices = range(len(self)) if indices is None else indices
        found: list[Any] = [self._read(index)[1].get('gt_label') for index in indices]
        if any(np.ndim(label) != 0 or np.asarray(label).dtype.kind not in 'iu' for label in found):
            return None
        return np.array(found, dtype=np.int64)

    def _draw(self, own: np.ndarray, given: np.ndarray) -> np.ndarray:
        assert self.rate is not None  # replacements has seen to that
        number, right = share_of(self.rate, len(own)), np.flatnonzero(given == own)
        if number > len(right):
            raise ValueError(
                f'{self!r} replaces {number} images whose label is right, but closed-set noise leaves {len(right)}'
            )
        if number > len(self):
            raise ValueError(f'{self!r} needs {number} images, but {type(self.dataset).__name__} has {len(self)}')
        # A pair of numbers: the seed alone would give the stream by which the closed-set noise chooses its samples.
        rng = np.random.RandomState([self.seed, 1])
        targets = right[rng.permutation(len(right))[:number]]
        return np.stack([targets, rng.permutation(len(self))[:number]], axis=1).astype(np.int64)

    def data_info(self, index: int) -> dict:
        """Get the data info of an image after its own dataset's pipeline; after :meth:`full_init`.

        Args:
            index (int): Index in the other dataset.

        Returns:
            dict: A fresh data info; its label means nothing here.

        Raises:
            RuntimeError: The pipeline returned None.
        """
        leaf, info = self._read(index)
        info = leaf.pipeline(info)
        if info is None:
            raise RuntimeError(f'the pipeline of {type(leaf).__name__} returned None for open-set image {index}')
        return info

    def img_path(self, index: int) -> str | None:
        """Get the path of an image, None for one that has no file; after :meth:`full_init`."""
        return self._read(index)[1].get('img_path')

    def _read(self, index: int) -> tuple[Any, dict]:
        """The dataset that holds an image, and its data info."""
        leaf = self._table.leaves[self._table.leaf[index]]
        return leaf, leaf.get_data_info(int(self._table.index[index]))

    def check_fits(self, info: dict, name: str) -> None:
        """Refuse images that the pipeline of the inner dataset cannot take; after :meth:`full_init`.

        Args:
            info (dict): Data info of an image of the inner dataset.
            name (str): What to call that dataset.

        Raises:
            ValueError: One dataset has arrays and the other files, or arrays of another shape.
        """
        other, other_name = self.data_info(0), type(self.dataset).__name__
        for key in ('img', 'img_path'):
            if key in info and key not in other:
                raise ValueError(
                    f'images of {name} are in {key}, but those of open_set.dataset ({other_name}) are not; '
                    'both must be arrays, or both files. LoadImageFromFile in the pipeline of open_set.dataset '
                    'makes arrays of files'
                )
        if 'img' in info and np.shape(info['img']) != np.shape(other['img']):
            raise ValueError(
                f'images of {name} have shape {np.shape(info["img"])}, but those of open_set.dataset ({other_name}) '
                f'{np.shape(other["img"])}: resize them in the pipeline of open_set.dataset'
            )

    def __repr__(self) -> str:
        rate = '' if self.rate is None else f', rate={self.rate:g}, seed={self.seed}'
        return f'{type(self).__name__}(dataset={type(self.dataset).__name__}{rate})'


def expected_rate(noise: Any, own: np.ndarray, num_classes: int, num_replaced: int) -> float:
    """Expected share of wrong labels, closed-set and open-set together.

    Args:
        noise (LabelNoise, optional): The closed-set noise.
        own (np.ndarray): True labels before any image is replaced, shape (N,).
        num_classes (int): Number of classes K.
        num_replaced (int): How many images are replaced.

    Returns:
        float: Expected noise rate, in [0, 1].
    """
    closed = 0.0 if noise is None else noise.expected_rate(own, num_classes)
    return closed + num_replaced / max(len(own), 1)


def true_labels(own: np.ndarray, replaced: np.ndarray) -> np.ndarray:
    """True labels of images of which some are replaced.

    Args:
        own (np.ndarray): Labels that the inner dataset itself has, shape (N,).
        replaced (np.ndarray): Indices of the replaced images.

    Returns:
        np.ndarray: True labels, :data:`NO_CLASS` where the image is replaced, int64, shape (N,).
    """
    true = own.copy()
    true[replaced] = NO_CLASS
    return true


def sources(pairs: np.ndarray, num_images: int) -> np.ndarray:
    """Turn pairs into a table.

    Args:
        pairs (np.ndarray): See :meth:`OpenSetNoise.replacements`, shape (R, 2).
        num_images (int): Number of images N.

    Returns:
        np.ndarray: Index in the other dataset of each image, -1 for one that is not replaced,
        int64, shape (N,).
    """
    table = np.full(num_images, -1, dtype=np.int64)
    table[pairs[:, 0]] = pairs[:, 1]
    return table
