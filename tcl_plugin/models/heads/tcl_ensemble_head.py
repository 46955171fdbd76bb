# SPDX-License-Identifier: Apache-2.0
"""TCL with targets that are averaged over epochs."""

from typing import Any

import torch
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ...structures import SampleBatch
from ..sample_rows import RemembersSamples
from .tcl_head import TCLHead


@MODELS.register_module()
class TCLEnsembleHead(RemembersSamples, TCLHead):
    r"""Targets by temporal ensembling in place of cross-supervision (paper, table 3).

    .. math::
        Z_i \leftarrow \alpha Z_i + (1-\alpha)\,\tfrac12\big(g(x_i^1)+g(x_i^2)\big), \qquad
        \hat z_i = Z_i / (1-\alpha^{n_i}), \qquad
        t_i = s w_i\, y_i + (1 - s w_i)\, \hat z_i

    where :math:`n_i` counts how often sample i has been met. Both views and the mixed ones have the
    same target. It is made before the average is renewed, so that it comes from former epochs; a
    sample that is met for the first time has the present predictions. The paper does not say how it
    ensembles: this is the temporal ensembling of Laine and Aila, https://arxiv.org/abs/1610.02242,
    with their :math:`\alpha`.

    The averages, N x K, are no function of the weights. :class:`SampleStateHook` looks after them:
    ``custom_hooks`` needs it beside :class:`LabelNoiseHook`.

    Args:
        *args: Arguments of :class:`TCLHead`.
        ensemble_momentum (float): :math:`\alpha` in [0, 1). Defaults to 0.6.
        **kwargs: Other arguments of :class:`TCLHead`.

    Raises:
        ValueError: If ``ensemble_momentum`` lies outside [0, 1).
    """

    def __init__(self, *args: Any, ensemble_momentum: float = 0.6, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not 0 <= ensemble_momentum < 1:
            raise ValueError(f'ensemble_momentum must lie in [0, 1), got {ensemble_momentum}')
        self.ensemble_momentum = ensemble_momentum
        self.state_columns = self.num_classes + 1  # the last one counts

    @torch.no_grad()
    def guess(
        self, logits_strong: tuple[Tensor, Tensor], data_samples: SampleBatch | list[DataSample]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Averages of former epochs, three times the same, which are then renewed; see :meth:`TCLHead.guess`.

        Raises:
            RuntimeError: If there is no table yet.
            ValueError: If the table has no row for a sample.
        """
        rows = self._rows_of(data_samples)
        first, second = logits_strong
        present = (first.softmax(dim=1) + second.softmax(dim=1)) / 2
        assert self.sample_state is not None  # _rows_of has seen to that
        former = self.sample_state[rows]
        known, weight = former[:, -1:] > 0, former[:, -1:]
        guess = torch.where(known, former[:, :-1] / weight.clamp_min(1e-6), present)
        # The last column averages ones: 1 - alpha ** n after n times.
        new = torch.cat([present, torch.ones_like(weight)], dim=1)
        self.sample_state[rows] = self.ensemble_momentum * former + (1 - self.ensemble_momentum) * new
        return guess, guess, guess
