# SPDX-License-Identifier: Apache-2.0
"""The contract of a detector of wrong labels."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass
class LocalScores:
    """What a detector knows of the samples that this process has seen.

    Attributes:
        scores (Tensor): Score of each given label, higher means more likely right, in the order
            in which the samples came, float32, shape (n,).
        prototypes (Tensor, optional): Class means of the whole training set, shape (K, D), where
            the detector makes such.
        suggested_label (Tensor, optional): Class that the detector itself finds likeliest, int64,
            shape (n,), where it has an opinion on all classes.
        suggested_prob (Tensor, optional): Its probability, float32, shape (n,).
    """

    scores: Tensor
    prototypes: Tensor | None = None
    suggested_label: Tensor | None = None
    suggested_prob: Tensor | None = None


def score_given_labels(
    pieces: Iterable[tuple[Tensor, Tensor]], size: int, prototypes: Tensor | None = None
) -> LocalScores:
    """Score each given label by the probability that a detector gives to its class.

    Args:
        pieces (Iterable[tuple[Tensor, Tensor]]): Probabilities of all classes, shape (P, K), and
            given labels, shape (P,), piece by piece; one or more.
        size (int): Number n of samples in all pieces.
        prototypes (Tensor, optional): Class means, shape (K, D), to pass on. Defaults to None.

    Returns:
        LocalScores: All of it.
    """
    start = 0
    for class_probs, labels in pieces:
        if not start:
            # Filled in place: small results between large temporary tensors would leave holes in memory.
            scores, best = class_probs.new_empty(size), class_probs.new_empty(size)
            label = labels.new_empty(size)
        rows = slice(start, start + len(labels))
        scores[rows] = class_probs.gather(1, labels[:, None]).squeeze(1)
        torch.max(class_probs, dim=1, out=(best[rows], label[rows]))
        start += len(labels)
    return LocalScores(scores, prototypes, label, best)


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

    def readable_scores(self, scores: np.ndarray) -> np.ndarray:
        """Bring scores to [0, 1], for people to read in the column ``score``.

        Args:
            scores (np.ndarray): Score of each sample, shape (N,).

        Returns:
            np.ndarray: Numbers in the same order, shape (N,). Scores that are probabilities stay as they
            are, which is what this method does unless overridden.
        """
        return scores
