# SPDX-License-Identifier: Apache-2.0
"""Cross-validation on noisy labels: they belong to the whole dataset, not to a fold of it."""

import copy
from typing import Any

from mmpretrain import datasets
from mmpretrain.registry import DATASETS


class KFoldDataset(datasets.KFoldDataset):
    """mmpretrain's ``KFoldDataset``, which forgets the other folds, with the dataset that it divides.

    Attributes:
        whole (BaseDataset): That dataset, after :meth:`full_init`.
    """

    whole: Any = None

    def full_init(self) -> None:
        """Read the dataset and take the fold, or all others; the second call does nothing."""
        if not self._fully_initialized:
            self.whole = self.dataset
        super().full_init()


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
