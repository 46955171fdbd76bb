# SPDX-License-Identifier: Apache-2.0
"""Memory, open files and threads of large data sets and long runs. Linux only."""

import os
import resource
import threading
import time
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..datasets import NoisyLabelDataset, SymmetricNoise
from ..detection import OODDetector
from ..evaluation import LabelTable, write_label_table
from ..hooks.findings import find
from .detection import SyntheticPass
from .memory import peak_bytes


class ManyImages(BaseDataset):
    """A data set of so many images that exist in name only.

    Args:
        labels (np.ndarray): True labels, shape (N,).
        num_classes (int): Number of classes K.
    """

    def __init__(self, labels: np.ndarray, num_classes: int) -> None:
        self._labels = labels
        classes = [f'class {k}' for k in range(num_classes)]
        super().__init__(metainfo=dict(classes=classes), serialize_data=True)

    def load_data_list(self) -> list[dict]:
        """Names and labels, one dict for each image."""
        return [dict(img_path=f'train/{i:09d}.jpg', gt_label=int(label)) for i, label in enumerate(self._labels)]


def measure_large(folder: Path, num_samples: int, feat_dim: int, num_classes: int) -> dict[str, float]:
    """Take synthetic samples through wrapper, detection and table, in this process.

    Args:
        folder (Path): Where the table is written.
        num_samples (int): Number of samples N.
        feat_dim (int): Length D of the representations.
        num_classes (int): Number of classes K.

    Returns:
        dict[str, float]: CPU seconds of each part; ``peak_mib``, the most memory of the whole process; the
        size of the table, ``table_mib``; and ``accuracy``, the share of labels rightly called right or wrong.
    """
    samples = SyntheticPass(num_samples, feat_dim, num_classes, 1024)
    begin = time.process_time()
    dataset = NoisyLabelDataset(ManyImages(samples.true, num_classes), SymmetricNoise(0.4, seed=0))
    samples.given = dataset.given_labels.copy()
    wrapped = time.process_time()
    found = find(samples, OODDetector(), samples.given, num_classes)
    assert found.scores is not None and found.clean_prob is not None  # there is a detector
    detected = time.process_time()
    table = LabelTable(
        sample_idx=np.arange(num_samples),
        img_path=dataset.img_paths,
        given_label=samples.given,
        predicted_label=found.predicted_label,
        label_quality=found.scores,
        clean_prob=found.clean_prob,
        is_label_issue=found.clean_prob <= 0.5,
        suggested_label=found.suggested_label,
        suggested_prob=found.suggested_prob,
        predicted_prob=found.predicted_prob,
        true_label=dataset.true_labels,
    ).with_classes(dataset.metainfo['classes'])
    listed = time.process_time()
    write_label_table(folder / 'label_quality.csv', table)
    return dict(
        wrapper_seconds=wrapped - begin,
        detection_seconds=detected - wrapped,
        paths_seconds=listed - detected,
        table_seconds=time.process_time() - listed,
        peak_mib=peak_bytes() / 2**20,
        table_mib=(folder / 'label_quality.csv').stat().st_size / 2**20,
        accuracy=float(((found.clean_prob > 0.5) == (samples.given == dataset.true_labels)).mean()),
    )


class ResourceWatch(Hook):
    """Note after each epoch what the process holds.

    Attributes:
        epochs (list[dict]): ``memory_mib``, ``files`` and ``threads`` after each epoch.
    """

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.epochs: list[dict[str, float]] = []

    def after_train_epoch(self, runner: Runner) -> None:
        """Note it."""
        pages = int(Path('/proc/self/statm').read_text().split()[1])
        self.epochs.append(
            dict(
                memory_mib=pages * resource.getpagesize() / 2**20,
                files=len(os.listdir('/proc/self/fd')),
                threads=threading.active_count(),
            )
        )
