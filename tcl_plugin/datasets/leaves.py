# SPDX-License-Identifier: Apache-2.0
"""Looks through dataset wrappers, down to the datasets that hold the images."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

import numpy as np
from mmengine.dataset import RepeatDataset
from mmpretrain.datasets import KFoldDataset

from . import folds


@dataclass
class LeafTable:
    """Where each sample of a (wrapped) dataset comes from.

    Attributes:
        leaves (list): The datasets that hold images, each once.
        leaf (np.ndarray): Position in ``leaves`` of each sample's dataset, int64, shape (N,).
        index (np.ndarray): Index of each sample within that dataset, int64, shape (N,).
    """

    leaves: list[Any]
    leaf: np.ndarray
    index: np.ndarray

    def images(self) -> np.ndarray:
        """Number the distinct images: copies that a wrapper makes of one have the same number.

        Returns:
            np.ndarray: Number of each sample's image, in the order of the leaves, int64, (N,).
        """
        sizes = [len(leaf) for leaf in self.leaves]
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        return offsets[self.leaf] + self.index

    def rows(self, rows: np.ndarray) -> 'LeafTable':
        """Take some samples, or one several times.

        Args:
            rows (np.ndarray): Their indices, int64, shape (M,).

        Returns:
            LeafTable: The table of these.
        """
        return replace(self, leaf=self.leaf[rows], index=self.index[rows])


def leaf_configs(dataset: Any) -> Iterator[Any]:
    """Look through the config of a dataset, under any wrappers.

    Args:
        dataset (ConfigDict): The config.

    Yields:
        ConfigDict: Those at the bottom, which hold images; of a ``ConcatDataset`` one for each part. A wrapper with
        a pipeline of its own counts as one of them.
    """
    inner = [] if 'pipeline' in dataset else dataset.get('datasets') or [dataset.get('dataset')]
    parts = [part for part in inner if part]
    if not parts:
        yield dataset
    for part in parts:
        yield from leaf_configs(part)


def leaf_table(dataset: Any) -> LeafTable:
    """Find out where each sample of a dataset comes from.

    Args:
        dataset: A fully initialised dataset, or any nesting of ``ConcatDataset``,
            ``RepeatDataset``, ``ClassBalancedDataset``, ``KFoldDataset`` and other wrappers that
            have ``dataset`` and ``_get_ori_dataset_idx(idx) -> int``.

    Returns:
        LeafTable: The table, with as many rows as ``dataset`` has samples. A ``KFoldDataset`` that keeps what
        it divides (see :func:`keep_whole`) counts as a part of that; one that was built otherwise has its
        fold alone.

    Raises:
        TypeError: A dataset at the bottom has no ``get_data_info`` or no ``pipeline``.
    """
    if hasattr(dataset, 'datasets'):
        return _join([leaf_table(part) for part in dataset.datasets])
    if isinstance(dataset, KFoldDataset):
        inner = leaf_table(dataset.dataset)
        # mmpretrain's own has the subset already; its _get_ori_dataset_idx points into the one before.
        if not isinstance(dataset, folds.KFoldDataset):
            return inner
        return inner.rows(np.array(dataset._ori_indices, dtype=np.int64))
    if isinstance(dataset, RepeatDataset):
        inner = leaf_table(dataset.dataset)
        return inner.rows(np.tile(np.arange(len(inner.leaf)), dataset.times))
    if hasattr(dataset, 'dataset') and hasattr(dataset, '_get_ori_dataset_idx'):
        rows = [dataset._get_ori_dataset_idx(i) for i in range(len(dataset))]
        return leaf_table(dataset.dataset).rows(np.array(rows, dtype=np.int64))
    if not hasattr(dataset, 'get_data_info') or not hasattr(dataset, 'pipeline'):
        raise TypeError(
            f'{type(dataset).__name__} is neither a dataset with get_data_info and a pipeline nor '
            'a wrapper that says where its samples come from'
        )
    size = len(dataset)
    return LeafTable([dataset], np.zeros(size, dtype=np.int64), np.arange(size, dtype=np.int64))


def _join(tables: list[LeafTable]) -> LeafTable:
    """Put tables one below the other; a leaf that occurs in several is kept once."""
    leaves: list[Any] = []
    leaf = []
    for table in tables:
        positions = []
        for candidate in table.leaves:
            known = [i for i, other in enumerate(leaves) if other is candidate]
            if not known:
                leaves.append(candidate)
            positions.append(known[0] if known else len(leaves) - 1)
        leaf.append(np.array(positions, dtype=np.int64)[table.leaf])
    index = np.concatenate([table.index for table in tables])
    return LeafTable(leaves, np.concatenate(leaf), index)


def check_classes(dataset: Any) -> None:
    """Refuse parts of a ``ConcatDataset`` that mean other classes by the same labels.

    mmengine compares them when it builds the wrapper, where parts with ``lazy_init`` may not know them yet.

    Args:
        dataset: A fully initialised dataset, or a nesting as :func:`leaf_table` takes it. Parts that name no
            classes are passed over, and so are those of a ``ConcatDataset`` whose ``ignore_keys`` has ``'classes'``.

    Raises:
        ValueError: Two parts name other classes. The error names the first that differs.
    """
    parts = getattr(dataset, 'datasets', [])
    for part in parts or filter(None, [getattr(dataset, 'dataset', None)]):
        check_classes(part)
    if 'classes' in getattr(dataset, 'ignore_keys', []):
        return
    leaves = [leaf_table(part).leaves[0] for part in parts]
    named = [(leaf, leaf.metainfo['classes']) for leaf in leaves if leaf.metainfo.get('classes') is not None]
    for other, classes in named[1:]:
        first, expected = named[0]
        for label, names in enumerate(zip_longest(expected, classes)):
            if names[0] != names[1]:
                here, there = ('missing' if name is None else repr(name) for name in names)
                raise ValueError(
                    f'{type(dataset).__name__} has parts of different classes: class {label} is {here} in '
                    f'{type(first).__name__} and {there} in {type(other).__name__}: set classes of all parts to the '
                    "same names, or ignore_keys='classes' where labels mean the same in all"
                )
