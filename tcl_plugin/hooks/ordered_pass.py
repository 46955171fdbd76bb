# SPDX-License-Identifier: Apache-2.0
"""One pass over the training set, in order and in evaluation mode."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import mmengine.dist as dist
import torch
import torch.nn.functional as F
from mmengine.dataset import DefaultSampler, default_collate
from torch import Tensor
from torch.utils.data import DataLoader

from ..compat import has_float64
from ..datasets.resident import ResidentDataset, ResidentLoader
from ..progress import counted, progress
from ..structures import indices_of, labels_of, to_device


@dataclass
class PassBatch:
    """What the network says about one batch.

    Attributes:
        index (Tensor): Sample index, int64, shape (B,).
        features (Tensor): Unit-length representations, float32, shape (B, D).
        probs (Tensor): Predictions, float32, shape (B, K).
        labels (Tensor): Given labels, int64, shape (B,).
    """

    index: Tensor
    features: Tensor
    probs: Tensor
    labels: Tensor


def build_pass_loader(dataset: Any, batch_size: int, num_workers: int) -> DataLoader:
    """Build a loader that deals every sample to exactly one process, in order.

    Args:
        dataset (Dataset): The training set, with a test pipeline.
        batch_size (int): Batch size of one process.
        num_workers (int): Number of workers; they are kept between passes.

    Returns:
        DataLoader: The loader. It leaves the global generators of torch and numpy as they were, so
        training goes the same way however often a pass is made.

    Raises:
        ValueError: If some process would get no sample. All processes say so; otherwise that one
            would, and the others would wait for it.
    """
    if len(dataset) < dist.get_world_size():
        raise ValueError(
            f'a training set of {len(dataset)} samples leaves some of {dist.get_world_size()} processes without any: '
            'start fewer processes'
        )
    # The seed is not used, but DefaultSampler would draw one from numpy's global generator.
    sampler = DefaultSampler(dataset, shuffle=False, seed=0, round_up=False)
    if isinstance(dataset, ResidentDataset):
        num_workers = 0
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
        pin_memory=torch.cuda.is_available(),
        collate_fn=default_collate,
        generator=torch.Generator(),
    )
    return ResidentLoader(loader, dataset) if isinstance(dataset, ResidentDataset) else loader


@torch.no_grad()
def run_pass(model: Any, loader: DataLoader) -> Iterator[PassBatch]:
    """Put the images of a loader through a classifier.

    Args:
        model (nn.Module): An ``ImageClassifier``, unwrapped. It is in evaluation mode during the
            pass, and in its former mode afterwards.
        loader (DataLoader): See :func:`build_pass_loader`.

    Yields:
        PassBatch: One batch, on the model's device, or on the CPU where that device has no float64, in which
        detection adds up. Representations are the head's projections, or the normalised features before its
        last layer where it has no projector.
    """
    was_training = model.training
    model.eval()
    try:
        for batch in loader:
            data = model.data_preprocessor(batch, False)
            feats = model.extract_feat(data['inputs'])
            probs = model.head(feats).float().softmax(dim=1)
            samples = data['data_samples']
            device = probs.device if has_float64(probs.device) else torch.device('cpu')
            yield PassBatch(
                index=to_device(indices_of(samples), device),
                features=_represent(model.head, feats).to(device),
                probs=probs.to(device),
                labels=labels_of(samples, device),
            )
    finally:
        model.train(was_training)


@contextmanager
def watched_pass(model: Any, loader: DataLoader, what: str) -> Iterator[Iterator[PassBatch]]:
    """Make a pass that shows on a terminal how much time remains.

    Args:
        model (nn.Module): See :func:`run_pass`.
        loader (DataLoader): See :func:`build_pass_loader`.
        what (str): What the pass is for.

    Yields:
        Iterator[PassBatch]: The batches. The line is gone when the block ends, before a log goes on.
    """
    with progress(what, len(loader)) as advance:
        yield counted(run_pass(model, loader), advance)


def _represent(head: Any, feats: tuple[Tensor, ...]) -> Tensor:
    if hasattr(head, 'project'):
        return head.project(feats)
    return F.normalize(head.pre_logits(feats).float(), dim=1)
