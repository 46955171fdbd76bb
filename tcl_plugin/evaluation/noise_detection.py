# SPDX-License-Identifier: Apache-2.0
"""Metrics of noise detection, for data whose true labels are known."""

import numpy as np
from sklearn.metrics import precision_score, recall_score, roc_auc_score


def detection_metrics(
    clean_prob: np.ndarray, scores: np.ndarray, given: np.ndarray, true: np.ndarray
) -> dict[str, float]:
    """Measure how well clean probabilities tell wrong labels from right ones.

    A label is not trusted where its clean probability is 0.5 or less. What is undefined is left
    out: AUC and recall where no label (or every label) is wrong, precision where none is called so.

    Args:
        clean_prob (np.ndarray): Clean probability of each sample, shape (N,).
        scores (np.ndarray): Score of each given label, higher means more likely right, shape (N,).
        given (np.ndarray): Given labels, shape (N,).
        true (np.ndarray): True labels, shape (N,); -1 for images that belong to no class, whose
            labels are wrong like others.

    Returns:
        dict[str, float]: ``score_auc`` (of the score), ``auc`` (of the clean probability: the same but for ties, as a
        mixture puts many labels so far on one side that their probability is 1 to the last bit, and for mixtures of
        single classes), ``precision`` and ``recall`` of the labels not trusted.
    """
    wrong, found = given != true, clean_prob <= 0.5
    metrics = {}
    if 0 < wrong.sum() < len(wrong):
        metrics['auc'] = float(roc_auc_score(~wrong, clean_prob))
        metrics['score_auc'] = float(roc_auc_score(~wrong, scores))
    if found.any():
        metrics['precision'] = float(precision_score(wrong, found))
    if wrong.any():
        metrics['recall'] = float(recall_score(wrong, found))
    return metrics


def fitted_share(predicted: np.ndarray, given: np.ndarray, true: np.ndarray) -> float | None:
    """Share of the wrong labels that the network predicts, that is, has memorised.

    Args:
        predicted (np.ndarray): Predicted classes of the training samples, shape (N,).
        given (np.ndarray): Given labels, shape (N,).
        true (np.ndarray): True labels, shape (N,); -1 for images that belong to no class.

    Returns:
        float | None: The share; None where no label is wrong.
    """
    wrong = given != true
    return float((predicted == given)[wrong].mean()) if wrong.any() else None
