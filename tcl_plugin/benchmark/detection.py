# SPDX-License-Identifier: Apache-2.0
"""Time and memory of noise detection, on synthetic representations."""

import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ..detection import OODDetector
from ..hooks.findings import find
from ..hooks.ordered_pass import PassBatch
from .memory import peak_bytes

NOISE_RATE = 0.4
# Length of the noise around a class's centre, which has length 1: enough for right and wrong labels to overlap.
SPREAD = 4.0


class SyntheticPass:
    """Outputs that a trained network might give, made batch by batch, 40 % of the labels wrong.

    Args:
        num_samples (int): Number of samples N.
        feat_dim (int): Length D of the representations.
        num_classes (int): Number of classes K.
        batch_size (int): Samples of a batch.
    """

    def __init__(self, num_samples: int, feat_dim: int, num_classes: int, batch_size: int) -> None:
        rng = np.random.default_rng(0)
        self.true = rng.integers(num_classes, size=num_samples)
        shift = np.where(rng.random(num_samples) < NOISE_RATE, rng.integers(1, num_classes, size=num_samples), 0)
        self.given = (self.true + shift) % num_classes
        self.batch_size = batch_size
        self._generator = torch.Generator().manual_seed(0)
        self._centres = F.normalize(torch.randn(num_classes, feat_dim, generator=self._generator), dim=1)
        self.seconds = 0.0  # spent on making batches

    def __iter__(self) -> Iterator[PassBatch]:
        for start in range(0, len(self.true), self.batch_size):
            begin = time.perf_counter()
            rows = slice(start, start + self.batch_size)
            centres = self._centres[torch.from_numpy(self.true[rows])]
            noise = torch.randn(centres.shape, generator=self._generator) * SPREAD / centres.size(1) ** 0.5
            features = F.normalize(centres + noise, dim=1)
            batch = PassBatch(
                index=torch.arange(start, start + len(features)),
                features=features,
                probs=(8 * features @ self._centres.t()).softmax(dim=1),
                labels=torch.from_numpy(self.given[rows]),
            )
            self.seconds += time.perf_counter() - begin
            yield batch


def measure_detection(
    detector: OODDetector, num_samples: int, feat_dim: int, num_classes: int, batch_size: int
) -> dict[str, float]:
    """Detect wrong labels once. Memory is measured from a process's start: one measurement each.

    Args:
        detector (OODDetector): The detector.
        num_samples (int): Number of samples N.
        feat_dim (int): Length D of the representations.
        num_classes (int): Number of classes K.
        batch_size (int): Samples of a batch.

    Returns:
        dict[str, float]: ``seconds`` without those of making batches; ``feature_mib``, what the
        detector keeps of the representations; ``extra_mib``, the most memory beside these;
        ``accuracy``, the share of labels rightly called right or wrong; and against a GMM that is
        fitted to all scores: ``mean_change`` of the clean probability, and the share of labels
        that are ``called_otherwise``.
    """
    # Loads libraries and starts threads, which is not to be measured.
    few = SyntheticPass(max(2000, 4 * num_classes), feat_dim, num_classes, batch_size)
    find(few, detector, few.given, num_classes)
    samples = SyntheticPass(num_samples, feat_dim, num_classes, batch_size)
    detector.reset()
    before = _resident_bytes()
    begin = time.perf_counter()
    findings = find(samples, detector, samples.given, num_classes)
    seconds = time.perf_counter() - begin - samples.seconds
    peak = peak_bytes()
    kept = num_samples * feat_dim * torch.finfo(detector.feature_dtype).bits // 8
    assert findings.scores is not None and findings.clean_prob is not None  # there is a detector
    called_right = findings.clean_prob > 0.5
    detector.gmm_options = replace(detector.gmm_options, max_samples=num_samples)
    full = detector.clean_probability(findings.scores, samples.given, num_classes)
    return dict(
        seconds=seconds,
        feature_mib=kept / 2**20,
        extra_mib=(peak - before - kept) / 2**20,
        accuracy=float((called_right == (samples.given == samples.true)).mean()),
        mean_change=float(np.abs(findings.clean_prob - full).mean()),
        called_otherwise=float((called_right != (full > 0.5)).mean()),
    )


def _resident_bytes() -> int:
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * resource.getpagesize()
