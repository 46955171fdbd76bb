# SPDX-License-Identifier: Apache-2.0
"""What one pass over the training set finds out, put together over batches and processes."""

from collections.abc import Iterable
from dataclasses import dataclass

import mmengine.dist as dist
import numpy as np
import torch
from mmpretrain.registry import TASK_UTILS
from torch import Tensor

from ..detection.base import BaseDetector
from ..detection.row_store import RowStore
from .ordered_pass import PassBatch


@dataclass
class Findings:
    """What one pass has found out; rows in the order of the training set.

    Attributes:
        predicted_label (np.ndarray): int64, shape (N,).
        predicted_prob (np.ndarray): float64, shape (N,).
        scores (np.ndarray, optional): Scores of the given labels, float64, shape (N,).
        clean_prob (np.ndarray, optional): float64, shape (N,).
        prototypes (Tensor, optional): Class means, shape (K, D).
        suggested_label (np.ndarray, optional): Class that the detector finds likeliest, int64, shape (N,).
        suggested_prob (np.ndarray, optional): Its probability, float64, shape (N,).
    """

    predicted_label: np.ndarray
    predicted_prob: np.ndarray
    scores: np.ndarray | None = None
    clean_prob: np.ndarray | None = None
    prototypes: Tensor | None = None
    suggested_label: np.ndarray | None = None
    suggested_prob: np.ndarray | None = None


def build_detector(detector: dict | BaseDetector | None) -> BaseDetector | None:
    """Build the detector of a hook.

    Args:
        detector (dict | BaseDetector, optional): Config of a detector in TASK_UTILS, or a built one.

    Returns:
        BaseDetector, optional: The detector.

    Raises:
        TypeError: If it is none.
    """
    built = TASK_UTILS.build(detector) if isinstance(detector, dict) else detector
    if built is not None and not hasattr(built, 'clean_probability'):
        name = built if isinstance(built, str) else type(built).__name__
        raise TypeError(f"detector must be the config of a detector, such as dict(type='OODDetector'), got {name!r}")
    return built


def find(batches: Iterable[PassBatch], detector: BaseDetector | None, given: np.ndarray, num_classes: int) -> Findings:
    """Go through the batches of all processes once.

    Only scalars for each sample leave a process, and what the detector sums up.

    Args:
        batches (Iterable[PassBatch]): This process's batches. All processes together have each
            sample once.
        detector (BaseDetector, optional): Detector to ask. None finds out predictions alone.
        given (np.ndarray): Given labels of the whole training set, shape (N,).
        num_classes (int): Number of classes K.

    Returns:
        Findings: The same on every process.

    Raises:
        ValueError: If outputs of a sample of any process are NaN or infinite.
    """
    if detector is not None:
        detector.reset()
    index, labels, probs = RowStore(torch.int64), None, None
    for batch in batches:
        if detector is not None:
            detector.update(batch.features, batch.probs, batch.labels)
        if probs is None:
            probs = batch.probs.new_zeros(len(given))
            labels = batch.labels.new_zeros(len(given))
        prob, label = batch.probs.max(dim=1)
        broken = ~batch.features.isfinite().all(dim=1)
        probs[batch.index] = prob.masked_fill(broken, float('nan'))
        labels[batch.index] = label
        index.append(batch.index)
    # From all processes, so that all refuse alike: the others would wait for one that stops.
    findings = Findings(predicted_label=_add_up(labels), predicted_prob=_add_up(probs).astype(np.float64))
    _refuse_nan(findings.predicted_prob)
    if detector is not None:
        local = detector.compute()
        findings.prototypes = local.prototypes
        index = torch.cat(list(index))
        scores = torch.zeros(len(given), dtype=torch.float64, device=index.device)
        scores[index] = local.scores.double()
        findings.scores = _add_up(scores)
        if local.suggested_label is not None:
            label = index.new_zeros(len(given))
            label[index] = local.suggested_label
            prob = torch.zeros(len(given), device=index.device)
            prob[index] = local.suggested_prob
            findings.suggested_label, findings.suggested_prob = _add_up(label), _add_up(prob).astype(np.float64)
        clean_prob = detector.clean_probability(findings.scores, given, num_classes)
        findings.clean_prob = _as_of_main_process(clean_prob, index.device)
    return findings


def _refuse_nan(probs: np.ndarray) -> None:
    bad = np.flatnonzero(~np.isfinite(probs))
    if len(bad):
        raise ValueError(
            f'features or predictions of {len(bad)} training samples are NaN or infinite, the first of sample '
            f'{bad[0]}: training has diverged (a lower learning rate, or clip_grad, may help)'
        )


def _add_up(table: Tensor) -> np.ndarray:
    """Put together tables, shape (N,), in which each process has filled the rows of its own samples."""
    dist.all_reduce(table)
    return table.cpu().numpy()


def _as_of_main_process(values: np.ndarray, device: torch.device) -> np.ndarray:
    """One result for all, should processes run on machines that round differently."""
    tensor = torch.from_numpy(values).to(device)
    dist.broadcast(tensor)
    return tensor.cpu().numpy()
