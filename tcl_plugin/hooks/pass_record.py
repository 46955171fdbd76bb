# SPDX-License-Identifier: Apache-2.0
"""What a pass over the training set leaves: scalars for the log, and the table of label quality."""

from typing import Any

import numpy as np

from ..detection.base import BaseDetector
from ..evaluation import LabelTable, detection_metrics, fitted_share
from .findings import Findings
from .label_judge import Judgement


def scalars_of(findings: Findings, given: np.ndarray, true: np.ndarray | None) -> dict[str, float]:
    """Sum a pass up in a few numbers.

    Args:
        findings (Findings): What the pass has found out.
        given (np.ndarray): Given labels, int64, shape (N,).
        true (np.ndarray, optional): True labels where known, int64, shape (N,).

    Returns:
        dict[str, float]: ``estimated_noise_rate`` where there is a detector; with true labels also ``noise_rate``,
        ``wrong_labels_fitted`` where a label is wrong, and :func:`detection_metrics`.
    """
    scalars = {}
    if findings.clean_prob is not None:
        scalars['estimated_noise_rate'] = float((findings.clean_prob <= 0.5).mean())
    if true is not None:
        scalars['noise_rate'] = float((given != true).mean())
        fitted = fitted_share(findings.predicted_label, given, true)
        if fitted is not None:
            scalars['wrong_labels_fitted'] = fitted
        if findings.clean_prob is not None and findings.scores is not None:
            scalars |= detection_metrics(findings.clean_prob, findings.scores, given, true)
    return scalars


def table_of(findings: Findings, judgement: Judgement, detector: BaseDetector, dataset: Any) -> LabelTable:
    """Put the columns of the table of label quality together.

    Args:
        findings (Findings): What a pass with a detector has found out.
        judgement (Judgement): What :class:`LabelPosterior` says of each label.
        detector (BaseDetector): The detector, which knows which way its scores point.
        dataset (NoisyLabelDataset): The training set.

    Returns:
        LabelTable: One row for each sample, in the order of the training set.
    """
    assert findings.scores is not None and findings.clean_prob is not None  # there is a detector
    table = LabelTable(
        sample_idx=np.arange(len(dataset)),
        image_idx=None if (dataset.image_index == np.arange(len(dataset))).all() else dataset.image_index,
        img_path=dataset.img_paths,
        given_label=dataset.given_labels,
        predicted_label=findings.predicted_label,
        label_quality=judgement.quality,
        score=detector.readable_scores(findings.scores),
        clean_prob=findings.clean_prob,
        is_label_issue=judgement.quality < 0.5,
        suggested_label=judgement.likely_label,
        suggested_prob=judgement.likely_prob,
        predicted_prob=findings.predicted_prob,
        true_label=dataset.true_labels,
    )
    return table.with_classes(dataset.metainfo.get('classes'))
