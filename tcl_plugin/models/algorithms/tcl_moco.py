# SPDX-License-Identifier: Apache-2.0
"""TCL with momentum contrast."""

import copy
from collections.abc import Callable
from typing import Any

import mmengine.dist as dist
import torch
import torch.nn.functional as F
from mmpretrain.registry import MODELS
from torch import Tensor, nn

from ..losses import momentum_contrast
from .tcl import TCL


@MODELS.register_module()
class TCLMoCo(TCL):
    r"""TCL whose views are contrasted as in MoCo, in place of SimCLR (paper, table 3, "MoCo").

    A momentum encoder, the running average of backbone, neck and projector, makes the keys

    .. math:: \theta_k \leftarrow m\,\theta_k + (1-m)\,\theta

    and a queue holds the keys of earlier batches as negatives. Each strong view is the query once
    and gives the key once: :math:`L_{ctr} = (L_{q=1,k=2} + L_{q=2,k=1})/2`. The paper does not say
    how its variant is set up, and the published code has none: symmetry, momentum and length of the
    queue are our choice. Batch statistics of the momentum encoder are those of its own process
    unless the config has SyncBN; keys are not shuffled between processes. A checkpoint of TCL without
    a momentum encoder leaves that as it was initialised.

    Args:
        *args: Arguments of :class:`TCL`.
        momentum (float): :math:`m`, in (0, 1). Defaults to 0.999, as in MoCo; runs of few
            iterations need less.
        queue_size (int): Number of keys in the queue. Defaults to 4096.
        **kwargs: Other arguments of :class:`TCL`.

    Raises:
        ValueError: If ``momentum`` lies outside (0, 1), or the queue has no place.
    """

    def __init__(self, *args: Any, momentum: float = 0.999, queue_size: int = 4096, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not 0 < momentum < 1:
            raise ValueError(f'momentum must lie between 0 and 1, got {momentum}')
        self.momentum = momentum
        if self.head is None:  # to extract features: there is nothing to contrast
            return
        self.key_encoder = copy.deepcopy(self._encoder()).requires_grad_(False)
        self.queue = FeatureQueue(queue_size, self.head.prototypes.size(1))

    def _encoder(self) -> nn.Module:
        # Not an attribute: the same weights would be in checkpoints twice.
        return Encoder(self.backbone, self.neck, self.head)

    def init_weights(self) -> None:
        """Initialise all weights; the momentum encoder begins with those of the encoder."""
        super().init_weights()
        if self.head is None:
            return
        # Running statistics too: norms that are frozen would never have others.
        self.key_encoder.load_state_dict(self._encoder().state_dict())

    @torch.no_grad()
    def _follow(self, share: float) -> None:
        """Move the momentum encoder towards the encoder by a share of the way."""
        # mmengine's ExponentialMovingAverage counts its steps on the device, and waits for the count at each.
        for own, other in zip(self.key_encoder.parameters(), self._encoder().parameters(), strict=True):
            own.lerp_(other, share)

    def contrast(self, strong1: Tensor, strong2: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        """Make keys of both strong views; see :meth:`TCL.contrast`."""
        with torch.no_grad(), self.autocast(strong1.device):
            self._follow(1 - self.momentum)
            keys1, keys2 = self.key_encoder(torch.cat([strong1, strong2])).chunk(2)

        def against_queue(proj1: Tensor, proj2: Tensor) -> Tensor:
            negatives = self.queue.features.clone()  # the push below changes it in place
            loss1 = momentum_contrast(proj1, keys2, negatives, self.head.temperature)
            loss2 = momentum_contrast(proj2, keys1, negatives, self.head.temperature)
            self.queue.push(torch.cat([keys1, keys2]))
            return (loss1 + loss2) / 2

        return against_queue


class Encoder(nn.Module):
    """Images to unit-length projections.

    Args:
        backbone (nn.Module): The backbone.
        neck (nn.Module, optional): The neck.
        head (nn.Module): The head, of which the projector is used.
    """

    def __init__(self, backbone: nn.Module, neck: nn.Module | None, head: Any) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = neck
        self.projector: nn.Module = head.projector

    def forward(self, x: Tensor) -> Tensor:
        """Project images, shape (B, C, H, W), to float32 of shape (B, D)."""
        feats = self.backbone(x)
        feats = feats if self.neck is None else self.neck(feats)
        with torch.autocast(x.device.type, enabled=False):
            return F.normalize(self.projector(feats[-1].float()), dim=1)


class FeatureQueue(nn.Module):
    """The latest keys of all processes, first in, first out.

    Args:
        size (int): Number of keys Q.
        feat_dim (int): Length D of each.

    Attributes:
        features (Tensor): Unit-length keys, shape (Q, D); random ones at first. Saved in checkpoints.

    Raises:
        ValueError: If there is no place.
    """

    features: Tensor
    oldest: Tensor

    def __init__(self, size: int, feat_dim: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f'queue_size must be 1 or more, got {size}')
        self.register_buffer('features', F.normalize(torch.randn(size, feat_dim), dim=1))
        # On the device, so that nobody waits for it.
        self.register_buffer('oldest', torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Replace the oldest keys.

        Args:
            keys (Tensor): This process's new keys, shape (B, D).

        Raises:
            ValueError: If all processes together have more keys than the queue has places.
        """
        keys = torch.cat(dist.all_gather(keys))
        if len(keys) > len(self.features):
            raise ValueError(
                f'a batch has {len(keys)} keys, more than the queue of {len(self.features)}: raise queue_size'
            )
        rows = (self.oldest + torch.arange(len(keys), device=keys.device)) % len(self.features)
        self.features[rows] = keys.to(self.features)
        self.oldest += len(keys)
