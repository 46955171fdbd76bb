# SPDX-License-Identifier: Apache-2.0
"""Handwritten digits that ship with scikit-learn: real images without a download."""

from typing import Any, ClassVar

import numpy as np
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS
from sklearn.datasets import load_digits

NUM_TEST = 360


@DATASETS.register_module()
class SklearnDigits(BaseDataset):
    """The 1,797 scans of ``sklearn.datasets.load_digits``: 1,437 to train, 360 to test.

    They are the *test* part of the UCI data set "Optical Recognition of Handwritten Digits"
    (E. Alpaydin, C. Kaynak), as scikit-learn ships it: 8x8 pixels with values 0 to 16, which
    become 0 to 255 here. scikit-learn knows no split, so this class has one of its own. It is
    stratified, the same on every machine and in every release, and keeps the order of the images.

    Args:
        split (str): ``'train'`` or ``'test'``. Defaults to ``'train'``.
        **kwargs: Other arguments of mmpretrain's ``BaseDataset``.

    Each item has ``img`` (np.ndarray, uint8, shape (8, 8, 3), three equal channels) and
    ``gt_label`` (int).

    Raises:
        ValueError: ``split`` is neither.
    """

    METAINFO: ClassVar[dict] = {'classes': tuple('0123456789')}

    def __init__(self, split: str = 'train', **kwargs: Any) -> None:
        if split not in ('train', 'test'):
            raise ValueError(f"split must be 'train' or 'test', got {split!r}")
        self.split = split
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self) -> list[dict]:
        """Load the images and labels of the split."""
        images, labels = load_digits(return_X_y=True)
        is_test = split_mask(labels, NUM_TEST)
        chosen = np.flatnonzero(is_test if self.split == 'test' else ~is_test)
        images = np.round(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
        return [{'img': images[i].repeat(3, axis=2), 'gt_label': int(labels[i])} for i in chosen]

    def extra_repr(self) -> list[str]:
        """The extra repr information of the dataset."""
        return [f'Split: \t{self.split}']


def split_mask(labels: np.ndarray, num_test: int) -> np.ndarray:
    """Choose a stratified test set.

    Each class gives its proportional number; what rounding down leaves over comes from the classes
    with the largest remainders. scikit-learn's splitters would do, but promise no fixed result.

    Args:
        labels (np.ndarray): Labels, shape (N,).
        num_test (int): Size of the test set.

    Returns:
        np.ndarray: True for test samples, bool, shape (N,).
    """
    counts = np.bincount(labels)
    # Whole numbers only: remainders of floats could tie differently on another machine.
    quota, remainder = np.divmod(counts * num_test, len(labels))
    leftover = num_test - quota.sum()
    quota[np.argsort(-remainder, kind='stable')[:leftover]] += 1
    # numpy guarantees the stream of RandomState, not that of default_rng.
    rng = np.random.RandomState(0)
    mask = np.zeros(len(labels), dtype=bool)
    for label, count in enumerate(quota):
        mask[rng.permutation(np.flatnonzero(labels == label))[:count]] = True
    return mask
