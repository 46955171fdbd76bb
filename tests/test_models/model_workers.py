# SPDX-License-Identifier: Apache-2.0
"""What each of several processes does in the tests of models."""

from unittest import mock

import numpy as np
import torch
from mmengine.model import MMDistributedDataParallel
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from toy_runs import tcl

from tcl_plugin.compat import unwrap_model
from tcl_plugin.models.algorithms.tcl_moco import FeatureQueue
from tcl_plugin.models.losses import divergence_from_uniform, entropy_regularization, info_nce
from tcl_plugin.models.utils import Mixing


def shared_terms(
    rank: int, z1: np.ndarray, z2: np.ndarray, logits: np.ndarray, world_size: int = 2
) -> tuple[list[float], list[np.ndarray]]:
    """Contrast, terms of entropy and regulariser of M-correction of this process's share; and gradients of their sum.

    A share is a block of the batch.
    """
    size = len(z1) // world_size
    own = [torch.from_numpy(x[rank * size : (rank + 1) * size]).requires_grad_() for x in (z1, z2, logits)]
    terms = [info_nce(own[0], own[1]), *entropy_regularization(own[2]), divergence_from_uniform(own[2])]
    sum(terms).backward()
    return [float(term.detach()) for term in terms], [tensor.grad.numpy() for tensor in own]


def build_tcl(seed: int = 0, **head) -> nn.Module:
    """Build a model whose normalisations keep to their running statistics, as do all its copies."""
    torch.manual_seed(seed)
    model = MODELS.build(tcl(**head))
    model.init_weights()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    return model


def make_samples(labels, first: int = 0) -> list[DataSample]:
    """Data samples with given labels, numbered from ``first``."""
    return [DataSample(metainfo=dict(sample_idx=first + i)).set_gt_label(int(y)) for i, y in enumerate(labels)]


def fixed_mixing(lam: float, partner: Tensor):
    """Let TCL mix in this way, for once."""
    return mock.patch('tcl_plugin.models.algorithms.tcl.draw_mixing', return_value=Mixing(lam, partner))


def step_of_tcl(
    rank: int,
    views: np.ndarray,
    labels: np.ndarray,
    clean_prob: np.ndarray,
    prototypes: np.ndarray,
    lam: float,
    partner: np.ndarray,
    world_size: int = 2,
) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    """Losses and gradients of this process's share of a batch.

    Args:
        rank (int): Rank of this process.
        views (np.ndarray): Weak view and two strong views of the whole batch, shape (3, B, C, H, W).
        labels (np.ndarray): Given labels, shape (B,).
        clean_prob (np.ndarray): Clean probabilities, shape (B,).
        prototypes (np.ndarray): Class means.
        lam (float): Own share of each mixed image.
        partner (np.ndarray): Partners in the stacked views of each process, shape (W, 3B / W).
        world_size (int): Number of processes W; one of them alone has no DDP.

    Returns:
        tuple: The losses, and the gradient of each parameter.
    """
    model = build_tcl()
    model.head.set_clean_prob(torch.from_numpy(clean_prob), torch.from_numpy(prototypes))
    model.head.start_epoch(model.head.warmup_epochs)
    if world_size > 1:
        model = MMDistributedDataParallel(model, broadcast_buffers=False)
    size = len(labels) // world_size
    own = slice(rank * size, (rank + 1) * size)
    with fixed_mixing(lam, torch.from_numpy(partner[rank])):
        samples = make_samples(labels[own], first=own.start)
        losses = model([torch.from_numpy(view[own]) for view in views], samples, mode='loss')
    sum(losses.values()).backward()
    gradients = {name: p.grad.numpy().copy() for name, p in unwrap_model(model).named_parameters()}
    return {name: float(loss.detach()) for name, loss in losses.items()}, gradients


def push_keys(rank: int, keys: np.ndarray) -> np.ndarray:
    """Push this process's half of the keys into a queue that has room for all, and hand out the queue."""
    queue = FeatureQueue(*keys.shape)
    queue.push(torch.from_numpy(keys).chunk(2)[rank])
    return queue.features.numpy()
