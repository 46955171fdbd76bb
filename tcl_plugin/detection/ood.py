# SPDX-License-Identifier: Apache-2.0
"""Wrong labels as out-of-distribution samples of their class."""

import numpy as np
import torch
from mmpretrain.registry import TASK_UTILS
from torch import Tensor

from .base import BaseDetector, LocalScores, score_given_labels
from .gmm import fit_clean_probability
from .mixture import ClassSums, class_variances, posterior
from .row_store import RowStore


@TASK_UTILS.register_module()
class OODDetector(BaseDetector):
    r"""Label noise as out-of-distribution samples of the class mixture (paper, section 3.2).

    Models each class as a Gaussian over the representations, weighted by the classifier's
    predictions; scores a label by the posterior :math:`p(y=z|x)` of the given class; and splits
    the scores with a two-component GMM.

    Between processes travel K x D sums, never features; each keeps those of its own samples until
    the class means are known.

    Args:
        sigma (float | str): Spread of the classes. A number fixes it for all classes: the
            published code uses the temperature, 0.25. ``'estimated'`` takes the weighted squared
            distance to the class mean for each class (Eq. 4). Defaults to 0.25.
        per_class (bool): Fit one GMM for each given class instead of one over all samples.
            Defaults to False.
        seed (int): Seed of the GMM's initialisation. Defaults to 0.
        max_samples (int): Most samples that a GMM is fitted to, see :func:`fit_clean_probability`.
            Defaults to 100,000.
        feature_dtype (str): How representations are kept until all are known, ``'float16'`` or
            ``'float32'``. Of unit-length vectors, half precision moves a score by less than 0.001.
            Sums are made before. Defaults to ``'float16'``.

    Raises:
        ValueError: If ``sigma`` is neither positive nor ``'estimated'``, or ``feature_dtype`` is
            neither of the two.
    """

    def __init__(
        self,
        sigma: float | str = 0.25,
        per_class: bool = False,
        seed: int = 0,
        max_samples: int = 100_000,
        feature_dtype: str = 'float16',
    ) -> None:
        fixed = isinstance(sigma, (int, float)) and sigma > 0
        if not fixed and sigma != 'estimated':
            raise ValueError(f"sigma must be a positive number or 'estimated', not {sigma!r}")
        if feature_dtype not in ('float16', 'float32'):
            raise ValueError(f"feature_dtype must be 'float16' or 'float32', not {feature_dtype!r}")
        self.max_samples = max_samples
        self.feature_dtype = getattr(torch, feature_dtype)
        self.sigma = sigma
        self.per_class = per_class
        self.seed = seed
        self.reset()

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

    def compute(self) -> LocalScores:
        """Class mixture of all processes' samples, scores of this process's.

        Returns:
            LocalScores: Scores :math:`p(y=z|x)`, prototypes, and the likeliest class of each sample.

        Raises:
            ValueError: If this process has not taken in any sample.
        """
        means, sigma = self._classes.reduce(), self.sigma
        if sigma == 'estimated':
            sigma = class_variances(self._classes.sums, self._classes.weights, means).float()
        means = means.float()
        pieces = zip(self._features, self._labels, strict=True)
        return score_given_labels(
            ((posterior(features.float(), means, sigma), labels) for features, labels in pieces),
            len(self._labels),
            means,
        )

    def clean_probability(self, scores: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
        """Two-component GMM over the scores; see :func:`fit_clean_probability`."""
        if not self.per_class:
            return fit_clean_probability(scores, seed=self.seed, max_samples=self.max_samples)
        return fit_clean_probability(scores, labels, num_classes, self.seed, self.max_samples)
