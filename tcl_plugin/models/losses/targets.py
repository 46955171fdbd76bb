# SPDX-License-Identifier: Apache-2.0
"""Training targets that mix given labels with predictions."""

import torch.nn.functional as F
from torch import Tensor


def correct_labels(labels: Tensor, clean_prob: Tensor, prediction: Tensor, scale: float = 1.0) -> Tensor:
    r"""Targets between the given label and a prediction (paper, Eq. 7).

    .. math:: t_i = s w_i\, y_i + (1 - s w_i)\, g_i

    with the one-hot given label :math:`y_i`. In cross-supervision :math:`g_i` is the prediction for
    the *other* view of the image. The published code scales :math:`w_i` by the estimated share of
    clean labels; the formula as printed has :math:`s = 1`.

    Args:
        labels (Tensor): Given labels, shape (B,).
        clean_prob (Tensor): Clean probability :math:`w_i` in [0, 1], shape (B,).
        prediction (Tensor): Probabilities :math:`g_i`, shape (B, K). No gradient flows into it.
        scale (float): :math:`s` in [0, 1]. Defaults to 1.

    Returns:
        Tensor: Targets, shape (B, K); each row sums to 1.
    """
    prediction = prediction.detach()
    onehot = F.one_hot(labels, prediction.size(1)).to(prediction.dtype)
    trust = (scale * clean_prob).to(prediction.dtype).unsqueeze(1)
    return trust * onehot + (1 - trust) * prediction


def soft_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    r"""Mean cross-entropy with soft targets, :math:`-\frac1B\sum_i\sum_k t_{ik}\log p_{ik}`.

    Args:
        logits (Tensor): Shape (B, K).
        targets (Tensor): Probabilities, shape (B, K). No gradient flows into them.

    Returns:
        Tensor: Scalar.
    """
    return F.cross_entropy(logits, targets.detach())
