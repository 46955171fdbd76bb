# SPDX-License-Identifier: Apache-2.0
"""What lies beside a file of noisy labels: how they were made, and of which true labels."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ..safe_files import read_json
from .labels import NO_CLASS


def digest(labels: np.ndarray) -> str:
    """Fingerprint of labels in their order.

    Args:
        labels (np.ndarray): Labels, shape (N,).

    Returns:
        str: SHA-256 of the labels as little-endian 64-bit integers, in hexadecimal.
    """
    return hashlib.sha256(np.ascontiguousarray(labels, dtype='<i8').tobytes()).hexdigest()


def transition_matrix(true: np.ndarray, given: np.ndarray, num_classes: int) -> np.ndarray:
    """Measure how often each class has got each label.

    Args:
        true (np.ndarray): True labels, shape (N,). Samples that belong to no class
            (:data:`NO_CLASS`) are left out.
        given (np.ndarray): Given labels, shape (N,).
        num_classes (int): Number of classes K.

    Returns:
        np.ndarray: Share of given label j among the samples of class i in row i and column j,
        float64, shape (K, K). The row of a class without samples is zero.
    """
    true, given = true[true != NO_CLASS], given[true != NO_CLASS]
    counts = np.bincount(true * num_classes + given, minlength=num_classes**2).reshape(num_classes, num_classes)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def sidecar_path(path: str | Path) -> Path:
    """Where the sidecar of a label file lies: ``labels.npy.json`` beside ``labels.npy``."""
    return Path(f'{path}.json')


def check_sidecar(path: Path, true_labels: np.ndarray) -> None:
    """Refuse a label file that was made for other true labels, or the same in another order.

    Args:
        path (Path): The label file. Without a sidecar nothing is checked.
        true_labels (np.ndarray): Labels that the dataset itself has, shape (N,).

    Raises:
        ValueError: The sidecar cannot be read, or names another digest.
    """
    sidecar = sidecar_path(path)
    if not sidecar.is_file():
        return
    try:
        content: Any = read_json(sidecar)
        made_for = content['true_labels_sha256']
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{sidecar} beside the label file cannot be read: {error!r}; tools/make_noise.py writes it anew'
        ) from error
    if made_for != digest(true_labels):
        raise ValueError(
            f'label file {path}: was made for other true labels than those of this dataset, or for another order of '
            f'them, as {sidecar.name} says'
        )
