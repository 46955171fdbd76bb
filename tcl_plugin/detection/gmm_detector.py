# SPDX-License-Identifier: Apache-2.0
"""What detectors share: a GMM over the scores, and representations that are kept until all are known."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from .base import BaseDetector
from .gmm import GMMOptions, fit_clean_probability
from .mixture import ClassSums
from .row_store import RowStore


class GMMDetector(BaseDetector):
    """A detector whose scores a two-component GMM splits.

    Args:
        per_class (bool): Fit one GMM for each given class instead of one over all samples.
        seed (int): Seed of the GMM's initialisation.
        max_samples (int): Most samples that a GMM is fitted to, see :class:`GMMOptions`.
        **options: Other values of :class:`GMMOptions`.
    """

    def __init__(self, per_class: bool, seed: int, max_samples: int, **options: Any) -> None:
        self.per_class = per_class
        self.gmm_options = GMMOptions(seed, max_samples, **options)
        self.reset()

    def clean_probability(self, scores: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
        """Two-component GMM over the scores; see :func:`fit_clean_probability`."""
        return fit_clean_probability(scores, labels if self.per_class else None, self.gmm_options)


class FeatureDetector(GMMDetector):
    """A detector that keeps the representations of its process until all are known.

    Args:
        per_class (bool): See :class:`GMMDetector`.
        seed (int): See :class:`GMMDetector`.
        max_samples (int): See :class:`GMMDetector`.
        feature_dtype (str): How representations are kept, ``'float16'`` or ``'float32'``.
        **options: See :class:`GMMDetector`.

    Raises:
        ValueError: If ``feature_dtype`` is neither of the two.
    """

    def __init__(self, per_class: bool, seed: int, max_samples: int, feature_dtype: str, **options: Any) -> None:
        if feature_dtype not in ('float16', 'float32'):
            raise ValueError(f"feature_dtype must be 'float16' or 'float32', not {feature_dtype!r}")
        self.feature_dtype = getattr(torch, feature_dtype)
        super().__init__(per_class, seed, max_samples, **options)

    def reset(self) -> None:
        """Forget all samples."""
        self._features = RowStore(self.feature_dtype)
        self._labels = RowStore(torch.int64)
        self._classes = ClassSums()

    def update(self, features: Tensor, probs: Tensor, labels: Tensor) -> None:
        """Take in one batch; see :meth:`BaseDetector.update`."""
        features = features.float()
        self._classes.update(features, probs.float())
        self._features.append(features)
        self._labels.append(labels)
