# SPDX-License-Identifier: Apache-2.0
"""The contract of a detector of wrong labels."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass
class LocalScores:
    """What a detector knows of the samples that this process has seen.

    Attributes:
        scores (Tensor): Score of each given label, higher means more likely right, in the order
            in which the samples came, float32, shape (n,).
        prototypes (Tensor, optional): Class means of the whole training set, shape (K, D), where
            the detector makes such.
    """

    scores: Tensor
    prototypes: Tensor | None = None


class BaseDetector(ABC):
    """Detects wrong labels in one ordered pass over the training set.

    A pass is: :meth:`reset`, :meth:`update` with every batch, :meth:`compute`, then
    :meth:`clean_probability` on the scores of all processes together. Only :meth:`compute`
    communicates between processes. See :class:`OODDetector` for an example.
    """

    @abstractmethod
    def reset(self) -> None:
        """Forget all samples."""

    @abstractmethod
    def update(self, features: Tensor, probs: Tensor, labels: Tensor) -> None:
        """Take in one batch.

        Args:
            features (Tensor): Unit-length representations, shape (B, D).
            probs (Tensor): Predictions of the classifier, shape (B, K).
            labels (Tensor): Given labels, shape (B,).
        """

    @abstractmethod
    def compute(self) -> LocalScores:
        """Score the given labels of all samples taken in by this process."""

    @abstractmethod
    def clean_probability(self, scores: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
        """Turn the scores of the whole training set into probabilities.

        Args:
            scores (np.ndarray): Score of each sample, shape (N,).
            labels (np.ndarray): Given labels, shape (N,).
            num_classes (int): Number of classes K.

        Returns:
            np.ndarray: Clean probability of each sample, shape (N,).
        """
