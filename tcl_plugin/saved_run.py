# SPDX-License-Identifier: Apache-2.0
"""What the network of a finished run says about its test set and its training set."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS
from torch import nn
from torch.utils.data import Dataset, Subset

from .checkpoints import recorded_checkpoint
from .datasets import NoisyLabelDataset
from .datasets.leaves import leaf_configs
from .hooks.ordered_pass import watched_pass
from .hooks.pass_loader import build_pass_loader, with_sample_idx
from .reports import read_config
from .saved_model import build_model, find_pipeline, open_checkpoint, plain_model_config


@dataclass
class Outputs:
    """What a network says about N samples.

    Attributes:
        index (np.ndarray): Their indices in the data set, int64, shape (N,).
        features (np.ndarray): Unit-length representations, float32, shape (N, D).
        predicted (np.ndarray): Predicted classes, int64, shape (N,).
        labels (np.ndarray): Labels that the data set gives, int64, shape (N,).
        probs (np.ndarray, optional): Predictions, float32, shape (N, K).
    """

    index: np.ndarray
    features: np.ndarray
    predicted: np.ndarray
    labels: np.ndarray
    probs: np.ndarray | None = None


def open_run(work_dir: str | Path, device: str = 'cpu') -> tuple[Config, nn.Module]:
    """Build the network of a run, with the weights of its last checkpoint.

    Args:
        work_dir (str | Path): The work directory.
        device (str): Where the network is to run. Defaults to ``'cpu'``.

    Returns:
        tuple[Config, nn.Module]: The run's config and the network.

    Raises:
        FileNotFoundError: If config or checkpoint are missing.
        ValueError: If one of them does not load, see :func:`read_config` and :func:`open_checkpoint`.
    """
    _, cfg = read_config(Path(work_dir))
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    path = _last_checkpoint(Path(work_dir))
    # Compiled for one pass, it would be slower; its precision is that of the run's own evaluation.
    return cfg, build_model(plain_model_config(cfg, 'compile'), open_checkpoint(path), device, path)


def _last_checkpoint(work_dir: Path) -> Path:
    """The checkpoint on record."""
    found = recorded_checkpoint(work_dir)
    if found is None or not found.is_file():
        raise FileNotFoundError(f'{work_dir} has no checkpoint: last_checkpoint names {found or "none"}')
    return found


def test_outputs(cfg: Config, model: nn.Module) -> Outputs:
    """Put the test set, or else that of validation, through the network.

    Args:
        cfg (Config): The run's config.
        model (nn.Module): Its network.

    Returns:
        Outputs: What it says.
    """
    if not has_test_images(cfg):
        raise ValueError('the run has neither test_dataloader nor val_dataloader: there are no images to test')
    loader = cfg.get('test_dataloader') or cfg.val_dataloader
    dataset = copy.deepcopy(loader.dataset)
    for leaf in leaf_configs(dataset):
        leaf.pipeline = [with_sample_idx(step) for step in leaf.get('pipeline', [])]
    return collect(model, DATASETS.build(dataset), loader.get('batch_size', 64), 'test images')


def has_test_images(cfg: Config) -> bool:
    """Tell whether a run has images to test.

    Args:
        cfg (Config): Its config.

    Returns:
        bool: Whether it has.
    """
    return bool(cfg.get('test_dataloader') or cfg.get('val_dataloader'))


def training_set(cfg: Config) -> NoisyLabelDataset:
    """Build the training set of a run.

    Args:
        cfg (Config): The run's config.

    Returns:
        NoisyLabelDataset: The training set; one without noise is wrapped, so that its labels are the
        given ones.
    """
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    return dataset if isinstance(dataset, NoisyLabelDataset) else NoisyLabelDataset(dataset)


def training_outputs(cfg: Config, model: nn.Module, dataset: NoisyLabelDataset, most: int) -> Outputs:
    """Put the training set, or a part of it, through the network, with the pipeline of tests.

    Args:
        cfg (Config): The run's config.
        model (nn.Module): Its network.
        dataset (NoisyLabelDataset): Its training set.
        most (int): Of more samples than this, so many are chosen at random, always the same.

    Returns:
        Outputs: What it says.
    """
    view: Any = dataset.with_pipeline([with_sample_idx(step) for step in find_pipeline(cfg)])
    if len(view) > most:
        chosen = np.random.default_rng(0).choice(len(view), most, replace=False)
        view = Subset(view, np.sort(chosen).tolist())
    loader: ConfigDict = cfg.get('test_dataloader') or cfg.val_dataloader
    return collect(model, view, loader.get('batch_size', 64), 'training images')


def collect(model: nn.Module, dataset: Dataset, batch_size: int, what: str = 'images') -> Outputs:
    """Make a pass, and keep what the network says.

    Args:
        model (nn.Module): An ``ImageClassifier``.
        dataset (Dataset): The data set.
        batch_size (int): Batch size.
        what (str): What they are, beside the bar on a terminal. Defaults to ``'images'``.

    Returns:
        Outputs: What it says.
    """
    with watched_pass(model, build_pass_loader(dataset, batch_size, num_workers=0), what) as batches:
        rows = [(b.index, b.features, b.probs.argmax(dim=1), b.labels, b.probs.float()) for b in batches]
    parts = zip(*rows, strict=True)
    return Outputs(*(torch.cat(part).cpu().numpy() for part in parts))
