# SPDX-License-Identifier: Apache-2.0
"""One pass over the training set, in order and in evaluation mode."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader

from ..compat import has_float64
from ..progress import counted, progress
from ..structures import indices_of, labels_of, to_device


@dataclass
class PassBatch:
    """What the network says about one batch.

    Attributes:
        index (Tensor): Sample index, int64, shape (B,).
        features (Tensor): Representations, see :func:`represent`, float32, shape (B, D).
        probs (Tensor): Predictions, float32, shape (B, K).
        labels (Tensor): Given labels, int64, shape (B,).
    """

    index: Tensor
    features: Tensor
    probs: Tensor
    labels: Tensor


@torch.no_grad()
def run_pass(model: Any, loader: DataLoader) -> Iterator[PassBatch]:
    """Put the images of a loader through a classifier.

    Args:
        model (nn.Module): An ``ImageClassifier``, unwrapped. It is in evaluation mode during the
            pass, and in its former mode afterwards.
        loader (DataLoader): See :func:`build_pass_loader`.

    Yields:
        PassBatch: One batch, on the model's device, or on the CPU where that device has no float64, in which
        detection adds up.
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
                features=represent(model.head, feats).to(device),
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


def represent(head: Any, feats: tuple[Tensor, ...]) -> Tensor:
    """Representations of images.

    Args:
        head (nn.Module): Head of an ``ImageClassifier``.
        feats (tuple[Tensor, ...]): What its backbone and neck give.

    Returns:
        Tensor: Unit-length rows, float32, shape (B, D): the head's projections, or the normalised features before its
        last layer where it has no projector.

    Raises:
        ValueError: If there are no such features, as in a head with two classifiers.
    """
    if hasattr(head, 'project'):
        return head.project(feats)
    rows = head.pre_logits(feats)
    if not isinstance(rows, Tensor) or rows.dim() != 2:
        raise ValueError(
            f'{type(head).__name__} has no vector of features for each image (pre_logits), which representations are '
            'made of: choose a head with one last linear layer, such as LinearClsHead'
        )
    return F.normalize(rows.float(), dim=1)
