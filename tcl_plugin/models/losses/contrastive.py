# SPDX-License-Identifier: Apache-2.0
"""Contrast between two views."""

import mmengine.dist as dist
import torch
import torch.nn.functional as F
from torch import Tensor

from ..utils import gather_with_grad


def info_nce(z1: Tensor, z2: Tensor, temperature: float = 0.25) -> Tensor:
    r"""InfoNCE of two views, symmetric, as in SimCLR (paper, Eq. 1).

    .. math::
        L_{ctr} = -\frac{1}{2B}\sum_{a=1}^{2B}
                  \log\frac{\exp(z_a^\top z_{p(a)}/\tau)}{\sum_{b\ne a}\exp(z_a^\top z_b/\tau)}

    Every vector of both views is an anchor; :math:`p(a)` is the same image's other view. In
    distributed training the negatives come from all processes, and the gradients that other
    processes' losses have for this one's vectors are summed back: W processes of B/W images compute
    the loss and gradients of one process of B. (The published code passes back its own slice only,
    which divides this gradient by W.)

    Args:
        z1 (Tensor): Unit-length projections of the first view, shape (B, D).
        z2 (Tensor): Unit-length projections of the second view, shape (B, D).
        temperature (float): :math:`\tau`. Defaults to 0.25.

    Returns:
        Tensor: Scalar, the mean over this process's 2B anchors.

    References:
        Chen et al., A Simple Framework for Contrastive Learning of Visual Representations,
        https://arxiv.org/abs/2002.05709
    """
    batch = z1.size(0)
    all1, all2 = gather_with_grad(z1), gather_with_grad(z2)
    anchors, others = torch.cat([z1, z2]), torch.cat([all1, all2])
    logits = anchors @ others.t() / temperature

    row = torch.arange(batch, device=z1.device)
    # position of this process's images in each half of `others`
    own = row + dist.get_rank() * batch
    offset = all1.size(0)
    myself = torch.cat([own, own + offset])
    partner = torch.cat([own + offset, own])
    is_self = F.one_hot(myself, logits.size(1)).bool()
    logits = logits.masked_fill(is_self, float('-inf'))
    return F.cross_entropy(logits, partner)


def momentum_contrast(queries: Tensor, keys: Tensor, negatives: Tensor, temperature: float = 0.25) -> Tensor:
    r"""InfoNCE of queries against a queue of earlier keys, as in MoCo.

    .. math::
        L_q = -\frac1B\sum_i\log\frac{\exp(q_i^\top k_i/\tau)}
                                   {\exp(q_i^\top k_i/\tau)+\sum_j\exp(q_i^\top n_j/\tau)}

    Args:
        queries (Tensor): Unit-length projections, shape (B, D).
        keys (Tensor): Unit-length projections of the same images' other view by the momentum
            encoder, shape (B, D). No gradient flows into them.
        negatives (Tensor): Unit-length keys of other images, shape (Q, D).
        temperature (float): :math:`\tau`. Defaults to 0.25.

    Returns:
        Tensor: Scalar.

    References:
        He et al., Momentum Contrast for Unsupervised Visual Representation Learning, Eq. 1,
        https://arxiv.org/abs/1911.05722
    """
    positive = (queries * keys.detach()).sum(dim=1, keepdim=True)
    logits = torch.cat([positive, queries @ negatives.detach().t()], dim=1) / temperature
    return F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long))
