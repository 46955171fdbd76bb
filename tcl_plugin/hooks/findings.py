# SPDX-License-Identifier: Apache-2.0
"""What one pass over the training set finds out, put together over batches and processes."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import mmengine.dist as dist
import numpy as np
import torch
from mmpretrain.registry import TASK_UTILS
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from ..detection import DetectionWarning
from ..detection.base import BaseDetector
from ..detection.row_store import RowStore
from .bad_numbers import BadNumbersError
from .ordered_pass import PassBatch

HINT = 'training has diverged (a lower learning rate, or clip_grad, may help)'


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
        remarks (dict[str, str]): What the detector has warned of, by kind.
    """

    predicted_label: np.ndarray
    predicted_prob: np.ndarray
    scores: np.ndarray | None = None
    clean_prob: np.ndarray | None = None
    prototypes: Tensor | None = None
    suggested_label: np.ndarray | None = None
    suggested_prob: np.ndarray | None = None
    remarks: dict[str, str] = field(default_factory=dict)


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
        BadNumbersError: If outputs of a sample of any process, its score, or a class mean are NaN or infinite.
    """
    if detector is not None:
        detector.reset()
    seen, labels, probs, broken = RowStore(torch.int64), None, None, None
    for batch in batches:
        if detector is not None:
            detector.update(batch.features, batch.probs, batch.labels)
        if probs is None or labels is None or broken is None:
            probs = batch.probs.new_zeros(len(given))
            labels = batch.labels.new_zeros(len(given))
            broken = batch.labels.new_zeros(len(given), dtype=torch.uint8)
        prob, label = batch.probs.max(dim=1)
        bad = torch.stack([~batch.features.isfinite().all(dim=1), ~batch.probs.isfinite().all(dim=1)])
        broken[batch.index] = bad[0].to(torch.uint8) + 2 * bad[1].to(torch.uint8)
        probs[batch.index] = prob
        labels[batch.index] = label
        seen.append(batch.index)
    assert probs is not None and labels is not None and broken is not None  # each process has samples
    # From all processes, so that all refuse alike: the others would wait for one that stops.
    _refuse_broken(add_up(broken))
    findings = Findings(predicted_label=add_up(labels), predicted_prob=add_up(probs).astype(np.float64))
    if detector is not None:
        local = detector.compute()
        findings.prototypes = local.prototypes
        _refuse_centres(local.prototypes)
        index = torch.cat(list(seen))
        scores = torch.zeros(len(given), dtype=torch.float64, device=index.device)
        scores[index] = local.scores.double()
        findings.scores = add_up(scores)
        _refuse('scores', np.flatnonzero(~np.isfinite(findings.scores)))
        if local.suggested_label is not None and local.suggested_prob is not None:
            label = index.new_zeros(len(given))
            label[index] = local.suggested_label
            prob = torch.zeros(len(given), device=index.device)
            prob[index] = local.suggested_prob
            findings.suggested_label, findings.suggested_prob = add_up(label), add_up(prob).astype(np.float64)
        with _noting(findings.remarks):
            clean_prob = detector.clean_probability(findings.scores, given, num_classes)
        _refuse('clean probabilities', np.flatnonzero(~np.isfinite(clean_prob)))
        findings.clean_prob = _as_of_main_process(clean_prob, index.device)
    return findings


@contextmanager
def _noting(remarks: dict[str, str]) -> Iterator[None]:
    """Note what a detector, or scikit-learn inside it, warns of; let other warnings through."""
    with warnings.catch_warnings(record=True) as caught:
        for category in (DetectionWarning, ConvergenceWarning):
            warnings.simplefilter('always', category)
        yield
    for warning in caught:
        if issubclass(warning.category, (DetectionWarning, ConvergenceWarning)):
            text = str(warning.message)
            remarks[getattr(warning.message, 'kind', text)] = text
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _refuse_broken(kinds: np.ndarray) -> None:
    for bit, term in ((1, 'features'), (2, 'predictions')):
        _refuse(term, np.flatnonzero(kinds & bit))


def _refuse(term: str, bad: np.ndarray) -> None:
    if len(bad):
        text = f'{term} of {len(bad)} training samples are NaN or infinite, the first of sample {bad[0]}: {HINT}'
        raise BadNumbersError(text, term, bad)


def _refuse_centres(prototypes: Tensor | None) -> None:
    if prototypes is None:
        return
    bad = (~prototypes.isfinite().all(dim=1)).nonzero().flatten().tolist()
    if bad:
        text = f'centres of {len(bad)} classes are NaN or infinite, the first of class {bad[0]}: {HINT}'
        raise BadNumbersError(text, 'centres', np.empty(0, dtype=np.int64))


def add_up(table: Tensor) -> np.ndarray:
    """Put together tables in which each process has filled the rows of its own samples.

    Args:
        table (Tensor): This process's rows, and 0 in all others, shape (N,).

    Returns:
        np.ndarray: All rows, shape (N,).
    """
    dist.all_reduce(table)
    return table.cpu().numpy()


def _as_of_main_process(values: np.ndarray, device: torch.device) -> np.ndarray:
    """One result for all, should processes run on machines that round differently."""
    tensor = torch.from_numpy(values).to(device)
    dist.broadcast(tensor)
    return tensor.cpu().numpy()
