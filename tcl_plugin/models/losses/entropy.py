# SPDX-License-Identifier: Apache-2.0
"""Entropy regularisation."""

from torch import Tensor

from ..utils import mean_over_processes


def entropy_regularization(logits: Tensor) -> tuple[Tensor, Tensor]:
    r"""Confident predictions, spread over all classes (paper, Eq. 8).

    .. math::
        L_{reg} = \underbrace{\frac1B\sum_i H(g_i)}_{\text{confident}}
                  \underbrace{- H\Big(\frac1B\sum_i g_i\Big)}_{\text{spread}}

    The mean in the second term is over the batch of all processes, so that the term does not
    depend on how many processes share a batch.

    Args:
        logits (Tensor): Shape (B, K).

    Returns:
        tuple[Tensor, Tensor]: Mean entropy, and minus the entropy of the mean (scalars).
    """
    log_probs = logits.log_softmax(dim=1)
    probs = log_probs.exp()
    mean_entropy = -(probs * log_probs).sum(dim=1).mean()
    mean_probs = mean_over_processes(probs.mean(dim=0))
    # A class that no sample of the batch predicts underflows to 0, where p log p has a NaN gradient.
    floor = mean_probs.clamp_min(1e-30)
    return mean_entropy, (mean_probs * floor.log()).sum()
