# SPDX-License-Identifier: Apache-2.0
"""Writes tiny archives in the formats of well-known datasets, for tests.

Images are random, with a colour that depends on the class, so that a network can learn them.
"""

import gzip
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import numpy as np
from mmpretrain.datasets import CIFAR10, CIFAR100
from PIL import Image

from tcl_plugin.datasets.mappings import CIFAR100_SUPERCLASSES

# Superclass of each class of CIFAR-100, shape (100,).
COARSE = np.array([next(i for i, s in enumerate(CIFAR100_SUPERCLASSES) if fine in s) for fine in range(100)])


def make_images(labels: np.ndarray, size: int, num_classes: int, seed: int = 0) -> np.ndarray:
    """Make images whose mean colour tells the class.

    Args:
        labels (np.ndarray): Labels, shape (N,).
        size (int): Height and width.
        num_classes (int): Number of classes K.
        seed (int): Seed of the pixels' noise.

    Returns:
        np.ndarray: Images, uint8, shape (N, size, size, 3).
    """
    colours = np.random.RandomState(7).randint(40, 216, size=(num_classes, 3))
    noise = np.random.RandomState(seed).randint(-40, 40, size=(len(labels), size, size, 3))
    return (colours[labels][:, None, None] + noise).astype(np.uint8)


def balanced_labels(num: int, num_classes: int) -> np.ndarray:
    """Labels 0, 1, ..., K-1, 0, 1, ..., int64, shape (num,)."""
    return np.arange(num) % num_classes


def build_cifar10(root: str | Path, images_per_batch: int = 20) -> Path:
    """Write an archive as CIFAR-10 is laid out: five training batches, a test batch, the names.

    Args:
        root (str | Path): Folder that becomes ``data_root``.
        images_per_batch (int): Images in each of the six batches.

    Returns:
        Path: ``root``.
    """
    folder = Path(root) / 'cifar-10-batches-py'
    labels = balanced_labels(images_per_batch, 10)
    for seed, name in enumerate([*(f'data_batch_{i}' for i in range(1, 6)), 'test_batch']):
        batch = {'data': _cifar_rows(labels, 10, seed), 'labels': labels.tolist()}
        _write_pickle(folder / name, {'batch_label': name, **batch})
    names = ['airplane', 'automobile', 'bird', 'cat', 'deer']
    names += ['dog', 'frog', 'horse', 'ship', 'truck']
    _write_pickle(folder / 'batches.meta', {'label_names': names, 'num_vis': 3072})
    return Path(root)


def build_cifar100(root: str | Path, num_train: int = 200, num_test: int = 100) -> Path:
    """Write an archive as CIFAR-100 is laid out: train, test, meta.

    Args:
        root (str | Path): Folder that becomes ``data_root``.
        num_train (int): Number of training images.
        num_test (int): Number of test images.

    Returns:
        Path: ``root``.
    """
    folder = Path(root) / 'cifar-100-python'
    for seed, (name, num) in enumerate([('train', num_train), ('test', num_test)]):
        labels = balanced_labels(num, 100)
        batch = {'data': _cifar_rows(labels, 100, seed), 'fine_labels': labels.tolist()}
        _write_pickle(folder / name, {**batch, 'coarse_labels': COARSE[labels].tolist()})
    meta = {'fine_label_names': [f'fine_{i}' for i in range(100)]}
    _write_pickle(folder / 'meta', {**meta, 'coarse_label_names': [f'c_{i}' for i in range(20)]})
    return Path(root)


@contextmanager
def cifar_without_md5() -> Iterator[None]:
    """Let mmpretrain's CIFAR10 and CIFAR100 accept archives whose MD5 sums are not CIFAR's."""
    with (
        mock.patch.multiple(CIFAR10, **_without_md5(CIFAR10)),
        mock.patch.multiple(CIFAR100, **_without_md5(CIFAR100)),
    ):
        yield


def build_fashion_mnist(root: str | Path, num_train: int = 100, num_test: int = 20, compressed: bool = True) -> Path:
    """Write the four files of Fashion-MNIST in IDX format.

    Args:
        root (str | Path): Folder that becomes ``data_root``.
        num_train (int): Number of training images.
        num_test (int): Number of test images.
        compressed (bool): Whether to write ``.gz`` files. Defaults to True.

    Returns:
        Path: ``root``.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    for seed, (name, num) in enumerate([('train', num_train), ('t10k', num_test)]):
        labels = balanced_labels(num, 10)
        images = make_images(labels, 28, 10, seed)[..., 0]
        for kind, array in [('images-idx3', images), ('labels-idx1', labels.astype(np.uint8))]:
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype='>u4').tobytes()
            content = header + array.tobytes()
            path = root / f'{name}-{kind}-ubyte'
            if compressed:
                path.with_name(f'{path.name}.gz').write_bytes(gzip.compress(content, mtime=0))
            else:
                path.write_bytes(content)
    return root


def build_image_folder(root: str | Path, num_classes: int = 3, images_per_class: int = 4, size: int = 16) -> Path:
    """Write a folder of PNG files for mmpretrain's ``CustomDataset``: one folder a class.

    Args:
        root (str | Path): The folder.
        num_classes (int): Number of classes K.
        images_per_class (int): Images of each class.
        size (int): Height and width.

    Returns:
        Path: ``root``.
    """
    labels = np.repeat(np.arange(num_classes), images_per_class)
    for i, image in enumerate(make_images(labels, size, num_classes)):
        path = Path(root) / f'class_{labels[i]}' / f'{i:03d}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return Path(root)


def _cifar_rows(labels: np.ndarray, num_classes: int, seed: int) -> np.ndarray:
    """Images as CIFAR stores them: one row each, channel by channel, uint8, shape (N, 3072)."""
    return make_images(labels, 32, num_classes, seed).transpose(0, 3, 1, 2).reshape(-1, 3072)


def _write_pickle(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(content, protocol=2))


def _without_md5(cls: type) -> dict:
    lists = {name: [[file, None] for file, _ in getattr(cls, name)] for name in _LISTS}
    return {**lists, 'meta': {**cls.meta, 'md5': None}}


_LISTS = ('train_list', 'test_list')
