# SPDX-License-Identifier: Apache-2.0
"""Cross-entropy with the given label, through a matrix that says how labels go wrong."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log
from mmpretrain.registry import MODELS
from torch import Tensor

from ...transitions import read_matrix
from .sample_loss import SampleLoss


@MODELS.register_module()
class ForwardCorrectionLoss(SampleLoss):
    r"""Forward loss correction: the network predicts true labels, the matrix makes given ones of them.

    .. math:: L(x, \tilde y) = -\log \sum_i T_{i\tilde y}\, p_i(x)
                             = -\log\big(T^\top p(x)\big)_{\tilde y}

    (Section 4.2 and Theorem 2 of the paper.) :math:`T_{ij}` is the probability that a sample of
    class i is given label j. Until a matrix is known it is the identity, and this is cross-entropy.
    The matrix travels in checkpoints, but where ``matrix`` is given, that is the one, whatever weights
    are loaded: such as those of a network that was trained by cross-entropy, to estimate it from.
    :class:`TransitionMatrixHook` counts or estimates it.

    Patrini et al.: Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach,
    CVPR 2017, https://arxiv.org/abs/1609.03683

    Args:
        num_classes (int): Number of classes K.
        matrix (Sequence | str, optional): :math:`T`: K rows of K numbers, or a ``.npy``, ``.json`` or ``.csv`` file
            with them, see :func:`read_matrix`. Defaults to None, the identity.
        **kwargs: Arguments of :class:`SampleLoss`.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If its entries are not numbers.
        ValueError: If a file cannot be read, the matrix is not K x K, an entry lies outside [0, 1], or a row does not
            sum to 1.

    Examples:
        >>> loss = ForwardCorrectionLoss(2, matrix=[[1.0, 0.0], [0.5, 0.5]])
        >>> loss(torch.zeros(1, 2), torch.tensor([0]))  # -log(0.5 * 1 + 0.5 * 0.5)
        tensor(0.2877)
    """

    matrix: Tensor

    def __init__(self, num_classes: int, matrix: Sequence | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.register_buffer('matrix', torch.eye(num_classes))
        self.matrix_is_given = matrix is not None
        if matrix is not None:
            self.set_matrix(matrix)

    def set_matrix(self, matrix: Sequence | np.ndarray | Tensor | str, source: str = 'array') -> None:
        """Take over a matrix.

        Args:
            matrix (Sequence | np.ndarray | Tensor | str): :math:`T`, shape (K, K), or a file with it.
            source (str): Where it comes from, for the message. Defaults to ``'array'``.

        Raises:
            FileNotFoundError: If there is no such file.
            TypeError: If its entries are not numbers.
            ValueError: If a file cannot be read, it is not K x K, an entry lies outside [0, 1], or a row does not sum
                to 1.
        """
        if isinstance(matrix, Tensor):
            matrix = matrix.detach().cpu().double().numpy()
        found = read_matrix(matrix, source)
        if len(found) != len(self.matrix):
            name = matrix if isinstance(matrix, (str, Path)) else source
            raise ValueError(f'transition matrix {name} is made for {len(found)} classes, got {len(self.matrix)}')
        self.matrix.copy_(torch.from_numpy(found))

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        """Keep a matrix that the config gives."""
        if self.matrix_is_given:
            saved = state_dict.get(f'{prefix}matrix', self.matrix)
            if not torch.allclose(saved.to(self.matrix), self.matrix, atol=1e-4):
                print_log(
                    f'{type(self).__name__}: the matrix of the config stands, not that of the checkpoint, which is '
                    "another: to go on with the latter, leave 'matrix' out",
                    logger='current',
                    level=logging.WARNING,
                )
            # A copy of what the caller has: both torch and mmengine make one.
            state_dict[f'{prefix}matrix'] = self.matrix
        super()._load_from_state_dict(state_dict, prefix, *args)

    def each_label(self, logits: Tensor, labels: Tensor) -> Tensor:
        """See :meth:`SampleLoss.each_label`. One column of the matrix for each sample, not all K."""
        columns = self._log_matrix().index_select(1, labels)  # refuses negative labels, which brackets would not
        return -(logits.log_softmax(dim=1) + columns.t()).logsumexp(dim=1)

    def each(self, logits: Tensor, target: Tensor) -> Tensor:
        """See :meth:`SampleLoss.each`."""
        log_given = (logits.log_softmax(dim=1).unsqueeze(2) + self._log_matrix()).logsumexp(dim=1)
        return -(target * log_given).sum(dim=1)

    def _log_matrix(self) -> Tensor:
        # By logarithms, so that nothing underflows: with the identity this is cross-entropy to the last digit. That of
        # 0 is finite, lest the gradient be NaN, and lower than log-probabilities get.
        return torch.where(self.matrix > 0, self.matrix.log(), -1e4)
