# SPDX-License-Identifier: Apache-2.0
"""Cross-validation on noisy labels: they belong to the whole dataset, not to a fold of it."""

import copy
from collections.abc import Sequence
from typing import Any

from mmpretrain import datasets
from mmpretrain.registry import DATASETS


class KFoldDataset(datasets.KFoldDataset):
    """mmpretrain's ``KFoldDataset``, which forgets the other folds, with the dataset that it divides.

    Attributes:
        dataset (BaseDataset): That dataset.
    """

    dataset: Any
    _ori_indices: Sequence[int]

    def full_init(self) -> None:
        """Read the dataset and take the fold, or all others; the second call does nothing."""
        if not self._fully_initialized:
            whole = self.dataset
            super().full_init()
            # Not the copy of a part of it, beside it.
            self.dataset = whole

    def get_data_info(self, idx: int) -> dict:
        """Get the data info of a sample."""
        return self.dataset.get_data_info(self._get_ori_dataset_idx(idx))

    def get_cat_ids(self, idx: int) -> list[int]:
        """Get the classes of a sample."""
        return self.dataset.get_cat_ids(self._get_ori_dataset_idx(idx))

    def get_gt_labels(self) -> Any:
        """Get the labels of all samples."""
        self.full_init()
        return self.dataset.get_gt_labels()[list(self._ori_indices)]

    def __getitem__(self, idx: int) -> Any:
        """Run the pipeline on a sample."""
        return self.dataset[self._get_ori_dataset_idx(idx)]

    def __len__(self) -> int:
        """Number of samples."""
        self.full_init()
        return len(self._ori_indices)


def keep_whole(config: Any) -> Any:
    """Let each ``KFoldDataset`` in the config of a dataset keep what it divides.

    Args:
        config (dict | Dataset): Config of a dataset or wrapper; anything else is returned as it is.

    Returns:
        dict | Dataset: A changed copy of the config.
    """
    if not isinstance(config, dict):
        return config
    kept = copy.copy(config)
    if isinstance(config.get('datasets'), (list, tuple)):
        kept['datasets'] = [keep_whole(part) for part in config['datasets']]
    if 'dataset' in config:
        kept['dataset'] = keep_whole(config['dataset'])
    if _is_k_fold(config.get('type')):
        kept['type'] = KFoldDataset
    return kept


def _is_k_fold(kind: Any) -> bool:
    if isinstance(kind, str):
        # Not looked up otherwise: a name that nobody has registered is for the build to complain about.
        kind = DATASETS.get(kind) if kind.rpartition('.')[2] == datasets.KFoldDataset.__name__ else None
    return kind is datasets.KFoldDataset
