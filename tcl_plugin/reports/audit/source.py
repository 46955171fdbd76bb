# SPDX-License-Identifier: Apache-2.0
"""What an audit is made from: a run's table of label quality, and the data set of its config."""

import os
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS

from ...datasets.csv_dataset import CSVDataset
from ...datasets.image_lists import PROBED
from ...datasets.leaves import leaf_configs
from ...evaluation import TABLE_NAME, LabelTable, read_label_table
from ...moved_lists import count_kept_back
from ..pieces import latest_pieces
from ..records import read_piece_info, read_record
from ..runs import read_config


@dataclass
class Audit:
    """Labels of a training set, and what a run thinks of them.

    Attributes:
        name (str): Name of the run, for people.
        table (LabelTable): The table, with suggestions and names of classes; row i is sample i.
        classes (tuple[str, ...]): Names of the K classes.
        dataset (Dataset): The :class:`NoisyLabelDataset`, to look at images.
        unfinished (tuple[int, int], optional): Of a run that has not come to its end, the number of epochs after which
            it wrote the table, and that of all. None of one that has, or whose record does not say.
        kept_back (int, optional): Number of images that the set-up of a folder or a table has kept back for
            validation, so that they are not in the data set. None where nobody knows.
    """

    name: str
    table: LabelTable
    classes: tuple[str, ...]
    dataset: Any
    unfinished: tuple[int, int] | None = None
    kept_back: int | None = 0

    @cached_property
    def ranking(self) -> np.ndarray:
        """np.ndarray: Samples whose label is called wrong, the most doubtful first, int64, shape (M,).

        By the probability that the label is right, then by the detector's score (probabilities near 0 are
        equal in print), then by the probability of the suggested class.
        """
        table, issues = self.table, np.flatnonzero(self.table.is_label_issue)
        keys = (issues, -table.suggestions[1][issues], table.scores[issues], table.right_prob[issues])
        return issues[np.lexsort(keys)]

    @cached_property
    def corrected(self) -> np.ndarray:
        """np.ndarray: Given labels, with the suggestion where the label is called wrong, int64, shape (N,)."""
        return np.where(self.table.is_label_issue, self.table.suggestions[0], self.table.given_label)


def read_audit(work_dir: str | Path) -> Audit:
    """Read a run's table, and build the training set of its config.

    The data set must be where it was in training; relative paths start at the working directory. Lists that the
    training has made of a folder may have moved along with the work directory.

    Args:
        work_dir (str | Path): Work directory of the run.

    Returns:
        Audit: The audit.

    Raises:
        FileNotFoundError: If table, config or data set is missing.
        ValueError: If the table is none, or is not about the data set of the config.
    """
    path = Path(work_dir) / TABLE_NAME
    if not path.is_file():
        raise FileNotFoundError(f'{path} does not exist: a LabelNoiseHook with a detector writes it during training')
    table = read_label_table(path)
    _, cfg = read_config(Path(work_dir))
    dataset = _build_dataset(cfg)
    _check_same(table, dataset, path)
    classes: Any = dataset.metainfo.get('classes') or range(dataset.num_classes)
    if table.suggested_label is None:  # an earlier release wrote the table
        table = replace(table, suggested_label=table.predicted_label, suggested_prob=table.predicted_prob)
    name = '/'.join(Path(work_dir).resolve().parts[-2:])
    unfinished = _unfinished(Path(work_dir), cfg.train_cfg.get('max_epochs') or 0)
    return Audit(
        name, table.with_classes(classes), tuple(map(str, classes)), dataset, unfinished, _count_kept_back(cfg)
    )


def _unfinished(work_dir: Path, max_epochs: int) -> tuple[int, int] | None:
    """See :class:`Audit`."""
    try:
        scalars, (*_, last) = read_record(work_dir).scalars, latest_pieces(work_dir)
        early = read_piece_info(last).get('stopped_early') is True
    except (ValueError, FileNotFoundError):  # no record, or a damaged one: the table stands for itself
        return None
    passes = [epoch for name, values in scalars.items() if name.startswith('label_noise/') for epoch in values]
    return (max(passes), max_epochs) if passes and not early and max(passes) < max_epochs else None


def _count_kept_back(cfg: Any) -> int | None:
    """See :class:`Audit`."""
    # Where nothing else is there to test, it is these; a training that was resumed may validate no more.
    loaders = [cfg.get(name) or {} for name in ('val_dataloader', 'test_dataloader')]
    lists = {leaf.get('ann_file') for loader in loaders for leaf in leaf_configs(loader.get('dataset') or {})}
    counts = [count_kept_back(path) for path in lists if isinstance(path, str)]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _build_dataset(cfg: Any) -> Any:
    # Names without a scope are those of mmpretrain's registry, whatever scope is current.
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
        dataset = DATASETS.build(_without_checks(cfg.train_dataloader.dataset))
        dataset.full_init()
    paths = (dataset.img_paths or [])[:PROBED]
    if paths and not any(path is None or os.path.isfile(path) for path in paths):
        raise FileNotFoundError(f'there is no image {paths[0]}, nor those next to it: have the images been moved?')
    return dataset


def _without_checks(dataset: dict) -> dict:
    """A data set's config, so that an image may have been deleted since the training."""
    found = {key: _forgiving(value) for key, value in dataset.items()}
    kind = DATASETS.get(found['type']) if isinstance(found.get('type'), str) else found.get('type')
    return found | dict(check_files=0) if kind is CSVDataset else found


def _forgiving(value: Any) -> Any:
    if isinstance(value, dict):
        return _without_checks(value)
    return type(value)(_forgiving(item) for item in value) if isinstance(value, (list, tuple)) else value


def _check_same(table: LabelTable, dataset: Any, path: Path) -> None:
    """Refuse a table that is about other samples than those at hand."""
    if len(table) != len(dataset) or (table.sample_idx != np.arange(len(table))).any():
        raise ValueError(
            f'{path} has {len(table)} rows, but the training set of the config beside it has {len(dataset)} samples: '
            'have images been added or removed since the training?'
        )
    other = np.flatnonzero(table.given_label != dataset.given_labels)
    if len(other):
        raise ValueError(
            f'{path} says that the label of sample {other[0]} is {table.given_label[other[0]]}, but in the training '
            f'set of the config beside it it is {dataset.given_labels[other[0]]} ({len(other)} such differences): '
            'have labels or images changed since the training?'
        )
