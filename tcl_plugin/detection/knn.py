# SPDX-License-Identifier: Apache-2.0
"""Wrong labels as those that a sample's neighbours do not share."""

import torch
from mmpretrain.registry import TASK_UTILS

from .base import LocalScores, score_given_labels
from .gmm_detector import FeatureDetector
from .neighbors import nearest_neighbors
from .row_store import PIECE_ROWS
from .voting import check_vote, class_votes, of_all_processes


@TASK_UTILS.register_module()
class KNNDetector(FeatureDetector):
    r"""Label noise as labels that the nearest neighbours do not share.

    The neighbours vote for their given labels; the score of a label is its share of the vote

    .. math::
        p(y|x_i) = \frac{\sum_{j\in N_k(i)} s_{ij}\,[y_j=y]}{\sum_{j\in N_k(i)} s_{ij}},
        \qquad s_{ij} = \exp(v_i^\top v_j/\tau)

    and a two-component GMM splits the scores. With two rounds each sample first takes the class
    that won its vote, and these corrected labels vote in the second round, as in MOIT
    (https://arxiv.org/abs/2012.04462, section 3.2). The paper compares :class:`OODDetector` with
    detection by neighbours (table 3, "k-NN") and does not say which.

    The neighbours are exact, by cosine similarity over the samples of all processes. Between
    processes the representations travel, piece by piece: N x D numbers for each process, where
    :class:`OODDetector` sends K x D. Memory is n x k similarities and positions.

    Prototypes are made as :class:`OODDetector` makes them, for the losses that need such.

    Args:
        k (int): Number of neighbours. Defaults to 250, as in MOIT.
        temperature (float, optional): :math:`\tau` of the votes' weights. Defaults to None: all
            votes weigh the same.
        rounds (int): 1, or 2 for a vote of corrected labels. Defaults to 2, as in MOIT.
        per_class (bool): Fit one GMM for each given class instead of one over all samples.
            Defaults to False.
        seed (int): Seed of the GMM's initialisation. Defaults to 0.
        max_samples (int): Most samples that a GMM is fitted to, see :class:`GMMOptions`.
            Defaults to 100,000.
        feature_dtype (str): How representations are kept, ``'float16'`` or ``'float32'``.
            Defaults to ``'float16'``.
        reg_covar (float): See :class:`GMMOptions`. Votes are often unanimous, so that many scores are
            0 or 1, and one component may be these alone; more of it helps under some noises and harms
            under others (docs/degenerate.md). Defaults to 1e-6.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        k: int = 250,
        temperature: float | None = None,
        rounds: int = 2,
        per_class: bool = False,
        seed: int = 0,
        max_samples: int = 100_000,
        feature_dtype: str = 'float16',
        reg_covar: float = 1e-6,
    ) -> None:
        check_vote(k, temperature)
        if rounds not in (1, 2):
            raise ValueError(f'rounds must be 1 or 2, got {rounds}')
        self.k = k
        self.temperature = temperature
        self.rounds = rounds
        super().__init__(per_class, seed, max_samples, feature_dtype, reg_covar=reg_covar)

    def compute(self) -> LocalScores:
        """Votes on this process's samples, of all processes' samples.

        Returns:
            LocalScores: Share of the given label in the vote, prototypes, and the winner.

        Raises:
            ValueError: If this process has not taken in any sample, or there is only one.
        """
        means = self._classes.reduce().float()
        num_classes = len(means)
        labels = torch.cat(list(self._labels))
        similarity, position = nearest_neighbors(self._features, self.k)
        if not position.size(1):
            raise ValueError('KNNDetector needs two samples or more: one has no neighbour')
        voters = labels
        if self.rounds == 2:
            votes = class_votes(similarity, position, of_all_processes(labels), num_classes, self.temperature)
            voters = torch.cat([vote.argmax(dim=1) for vote in votes])
        votes = class_votes(similarity, position, of_all_processes(voters), num_classes, self.temperature)
        return score_given_labels(zip(votes, labels.split(PIECE_ROWS), strict=True), len(labels), means)
