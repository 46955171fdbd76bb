# SPDX-License-Identifier: Apache-2.0
"""Wrong labels as samples of large loss."""

import numpy as np
import torch
from mmpretrain.registry import TASK_UTILS
from torch import Tensor

from .base import LocalScores
from .gmm_detector import GMMDetector
from .mixture import ClassSums
from .row_store import RowStore


@TASK_UTILS.register_module()
class SmallLossDetector(GMMDetector):
    r"""Label noise as samples of large loss, the "small-loss trick".

    A network fits right labels before wrong ones, so that a small loss speaks for a label. The
    score is minus the cross-entropy, :math:`\log p(y_i|x_i)`; a two-component GMM splits the
    scores, as in DivideMix (https://arxiv.org/abs/2002.07394, section 3.1), with the settings of its
    published code. For 90 % of symmetric noise that code takes the mean loss of the last five epochs
    instead, which this detector does not: it has no memory. The paper compares :class:`OODDetector`
    with it (table 3, "detection by loss").

    Prototypes are made as :class:`OODDetector` makes them, for the losses that need such.

    Args:
        per_class (bool): Fit one GMM for each given class instead of one over all samples.
            Defaults to False.
        seed (int): Seed of the GMM's initialisation. Defaults to 0.
        max_samples (int): Most samples that a GMM is fitted to, see :class:`GMMOptions`.
            Defaults to 100,000.
        reg_covar (float): See :class:`GMMOptions`. Defaults to 5e-4.
        tol (float): See :class:`GMMOptions`. Defaults to 0.01.
        max_iter (int): See :class:`GMMOptions`. Defaults to 10.
    """

    def __init__(
        self,
        per_class: bool = False,
        seed: int = 0,
        max_samples: int = 100_000,
        reg_covar: float = 5e-4,
        tol: float = 1e-2,
        max_iter: int = 10,
    ) -> None:
        super().__init__(per_class, seed, max_samples, reg_covar=reg_covar, tol=tol, max_iter=max_iter)

    def reset(self) -> None:
        """Forget all samples."""
        self._classes = ClassSums()
        self._scores = RowStore(torch.float32)
        self._suggested = RowStore(torch.int64)
        self._suggested_prob = RowStore(torch.float32)

    def update(self, features: Tensor, probs: Tensor, labels: Tensor) -> None:
        """Take in one batch; see :meth:`BaseDetector.update`."""
        probs = probs.float()
        self._classes.update(features.float(), probs)
        # A probability that underflows to 0 has no logarithm, and is no worse than the smallest number.
        given = probs.gather(1, labels[:, None]).squeeze(1).clamp_min(torch.finfo(torch.float32).tiny)
        best, suggested = probs.max(dim=1)
        self._scores.append(given.log())
        self._suggested.append(suggested)
        self._suggested_prob.append(best)

    def compute(self) -> LocalScores:
        """Scores of this process's samples, prototypes of all processes'.

        Returns:
            LocalScores: Scores :math:`\\log p(y_i|x_i)`, prototypes, and the predicted class.

        Raises:
            ValueError: If this process has not taken in any sample.
        """
        means = self._classes.reduce().float()
        scores, label, best = (
            torch.cat(list(store)) for store in (self._scores, self._suggested, self._suggested_prob)
        )
        return LocalScores(scores, means, label, best)

    def readable_scores(self, scores: np.ndarray) -> np.ndarray:
        """Probability :math:`p(y_i|x_i)` of the given label; see :meth:`BaseDetector.readable_scores`."""
        return np.exp(scores)
