# SPDX-License-Identifier: Apache-2.0
"""A training step on a few images, to find out what it takes."""

import contextlib
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.model import BaseModel
from mmpretrain.registry import DATASETS

from ..saved_model import new_model, plain_model_config

#: Images of the step.
TRIED = 4


@dataclass
class Trial:
    """What a step takes.

    Attributes:
        seconds (float): Of reading, forward and backward, for each image.
        sample_bytes (float): Of what is kept for the backward pass, for each image.
        model_bytes (int): Of the parameters.
    """

    seconds: float
    sample_bytes: float
    model_bytes: int


def try_step(cfg: Config, device: torch.device) -> Trial:
    """Make two training steps without an optimiser, and measure the second.

    Random weights will do, and findings of no hook: all labels count as right.

    Args:
        cfg (Config): A finished config.
        device (torch.device): Where to do it.

    Returns:
        Trial: What it takes.
    """
    with _silence():
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
        model = _prepared(cfg, len(dataset)).to(device)
    chosen = [i * len(dataset) // TRIED for i in range(TRIED)]
    _step(model, default_collate([dataset[i] for i in chosen]))
    start = time.perf_counter()
    batch = default_collate([dataset[i] for i in chosen])
    kept = _step(model, batch)
    seconds = time.perf_counter() - start
    model_bytes = sum(parameter.nbytes for parameter in model.parameters())
    return Trial(seconds / TRIED, kept / TRIED, model_bytes)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Leave out of the log what is said again when the training itself is built."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.INFO))
    try:
        yield
    finally:
        logging.disable(before)


def _prepared(cfg: Config, num_samples: int) -> BaseModel:
    """A model that has been told what hooks tell it."""
    model = new_model(plain_model_config(cfg, 'compile')).train()
    if hasattr(model.head, 'set_clean_prob'):
        model.head.set_clean_prob(torch.ones(num_samples))
    if hasattr(model.head, 'set_sample_state'):
        model.head.set_sample_state(num_samples)
    return model


def _step(model: BaseModel, batch: dict) -> int:
    """A step; bytes of the distinct tensors, other than parameters, that it has kept for the backward pass."""
    sizes: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    data = model.data_preprocessor(batch, True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        loss, _ = model.parse_losses(model(**data, mode='loss'))
    for parameter in model.parameters():
        sizes.pop(parameter.untyped_storage().data_ptr(), None)
    loss.backward()
    # Reading a number waits until the device has done all that comes before it.
    sum(parameter.grad.sum().item() for parameter in model.parameters() if parameter.grad is not None)
    model.zero_grad()
    return sum(sizes.values())
