# SPDX-License-Identifier: Apache-2.0
"""Predictions that do not collapse to one class."""

import math

from torch import Tensor

from ..utils import mean_over_processes


def divergence_from_uniform(logits: Tensor) -> Tensor:
    r"""Divergence of the mean prediction from equal shares of all classes.

    .. math:: R = \sum_k \frac1K \log\frac{1/K}{\bar p_k}, \qquad \bar p = \frac1B\sum_i p_i

    (Tanaka et al., Joint Optimization Framework for Learning with Noisy Labels, section 3.3,
    https://arxiv.org/abs/1803.11364; Arazo et al. use it too, section 3.2,
    https://arxiv.org/abs/1904.11238.) The mean is over the batch of all processes, so that the term
    does not depend on how many processes share a batch.

    Args:
        logits (Tensor): Shape (B, K).

    Returns:
        Tensor: Scalar, at least 0.
    """
    mean = mean_over_processes(logits.softmax(dim=1).mean(dim=0))
    # A class that no sample of the batch predicts underflows to 0.
    return -math.log(logits.size(1)) - mean.clamp_min(1e-30).log().mean()
