# SPDX-License-Identifier: Apache-2.0
"""Audits of made-up runs."""

from pathlib import Path

import numpy as np
from data_builders import build_image_folder
from mmpretrain.registry import DATASETS

import tcl_plugin  # noqa: F401  registers the data sets
from tcl_plugin.evaluation import LabelTable
from tcl_plugin.reports.audit import Audit, make_thumbnails, summarise, write_page


def folder_dataset(folder: Path, classes: list[str] | None = None, per_class: int = 4, **changes):
    """A :class:`NoisyLabelDataset` over a folder of images, whose classes can be called anything."""
    build_image_folder(folder, num_classes=3, images_per_class=per_class)
    inner = dict(type='CustomDataset', data_prefix=str(folder), pipeline=[])
    dataset = DATASETS.build(dict(type='NoisyLabelDataset', dataset=inner, **changes))
    if classes is not None:
        dataset._metainfo['classes'] = tuple(classes)
    return dataset


def audit_of(dataset, suggested, issue=None, clean_prob=None, name: str = 'toy', **columns) -> Audit:
    """An audit in which suggestions are given, and which labels are called wrong."""
    given, suggested = dataset.given_labels, np.asarray(suggested)
    issue = suggested != given if issue is None else np.asarray(issue)
    if clean_prob is None:
        clean_prob = np.where(issue, 0.01 * np.arange(len(given)) / len(given), 0.99)
    table = LabelTable(
        sample_idx=np.arange(len(given)),
        given_label=given,
        predicted_label=suggested,
        suggested_label=suggested,
        label_quality=clean_prob,
        clean_prob=clean_prob,
        is_label_issue=issue,
        predicted_prob=np.full(len(given), 0.9),
        suggested_prob=np.full(len(given), 0.75),
        true_label=dataset.true_labels,
        img_path=dataset.img_paths,
        **columns,
    )
    classes = dataset.metainfo['classes']
    return Audit(name, table.with_classes(classes), tuple(classes), dataset)


def page_of(audit: Audit, path: Path, top: int = 500) -> Path:
    """Write the page of an audit."""
    write_page(path, audit, summarise(audit), make_thumbnails(audit.dataset, audit.ranking[:top]))
    return path
