# SPDX-License-Identifier: Apache-2.0
"""Wrong labels as out-of-distribution samples of their class."""

from mmpretrain.registry import TASK_UTILS
from torch import Tensor

from .base import LocalScores, score_given_labels
from .gmm_detector import FeatureDetector
from .mixture import class_variances, posterior


@TASK_UTILS.register_module()
class OODDetector(FeatureDetector):
    r"""Label noise as out-of-distribution samples of the class mixture (paper, section 3.2).

    Models each class as a Gaussian over the representations, weighted by the classifier's
    predictions; scores a label by the posterior :math:`p(y=z|x)` of the given class; and splits
    the scores with a two-component GMM.

    Between processes travel K x D sums, never features; each keeps those of its own samples until
    the class means are known.

    Args:
        sigma (float | str): Spread of the classes. A number fixes it for all classes: the
            published code uses the temperature, 0.25, which in :class:`TCLHead` is another
            argument: to change it as there, change both. ``'estimated'`` takes the weighted squared
            distance to the class mean for each class (Eq. 4). Defaults to 0.25.
        per_class (bool): Fit one GMM for each given class instead of one over all samples.
            Defaults to False.
        seed (int): Seed of the GMM's initialisation. Defaults to 0.
        max_samples (int): Most samples that a GMM is fitted to, see :class:`GMMOptions`.
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
        self.sigma = sigma
        super().__init__(per_class, seed, max_samples, feature_dtype)

    def compute(self) -> LocalScores:
        """Class mixture of all processes' samples, scores of this process's.

        Returns:
            LocalScores: Scores :math:`p(y=z|x)`, prototypes, and the likeliest class of each sample.

        Raises:
            ValueError: If this process has not taken in any sample.
        """
        means = self._classes.reduce()
        sums, weights = self._classes.sums, self._classes.weights
        sigma: float | Tensor
        if isinstance(self.sigma, str):
            assert sums is not None and weights is not None
            sigma = class_variances(sums, weights, means).float()
        else:
            sigma = self.sigma
        means = means.float()
        pieces = zip(self._features, self._labels, strict=True)
        return score_given_labels(
            ((posterior(features.float(), means, sigma), labels) for features, labels in pieces),
            len(self._labels),
            means,
        )
