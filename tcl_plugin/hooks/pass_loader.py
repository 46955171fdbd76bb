# SPDX-License-Identifier: Apache-2.0
"""The loader of a pass over the training set."""

from typing import Any

import mmengine.dist as dist
import torch
from mmengine.dataset import DefaultSampler, default_collate
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ..datasets.leaves import leaf_configs
from ..datasets.resident import ResidentDataset, ResidentLoader


def training_pass_loader(
    runner: Runner,
    pipeline: list[dict] | None = None,
    batch_size: int | None = None,
    num_workers: int | None = None,
    dataset: Any = None,
) -> DataLoader:
    """Build the loader of a pass over the training set, with the settings of validation where none are given.

    Args:
        runner (Runner): The runner.
        pipeline (list[dict], optional): See :class:`LabelNoiseHook`.
        batch_size (int, optional): See :class:`LabelNoiseHook`.
        num_workers (int, optional): See :class:`LabelNoiseHook`.
        dataset (Dataset, optional): Part of the training set to go over. Defaults to None, all of it.

    Returns:
        DataLoader: See :func:`build_pass_loader`.

    Raises:
        ValueError: If there is no pipeline.
    """
    cfg = runner.cfg.get('val_dataloader') or runner.cfg.get('test_dataloader') or {}
    pipeline = pipeline or pipeline_of_loader(cfg)
    if not pipeline:
        raise ValueError(
            'a pass over the training set needs the pipeline of val_dataloader or test_dataloader, or one of its own '
            '(the argument pipeline of the hook)'
        )
    # Whichever indices the test pipeline drops, the pass needs them.
    pipeline = [with_sample_idx(transform) for transform in pipeline]
    return build_pass_loader(
        (dataset or runner.train_dataloader.dataset).with_pipeline(pipeline),
        batch_size=batch_size or cfg.get('batch_size') or runner.train_dataloader.batch_sampler.batch_size,
        num_workers=cfg.get('num_workers', 0) if num_workers is None else num_workers,
    )


def pipeline_of_loader(cfg: dict) -> list[dict] | None:
    """Find the pipeline in a dataloader's config, under any wrappers.

    Args:
        cfg (dict): The config, which may be empty.

    Returns:
        list[dict], optional: Configs of the transforms, those of the first where there are several; None where there
        are none.
    """
    return next(leaf_configs(cfg.get('dataset') or {})).get('pipeline')


def with_sample_idx(transform: dict) -> dict:
    """Let a transform that packs samples keep ``sample_idx``, whichever meta keys it was told.

    Args:
        transform (dict): Config of any transform.

    Returns:
        dict: The config, changed only where it lists meta keys without this one.
    """
    if not isinstance(transform, dict) or 'sample_idx' in transform.get('meta_keys', ['sample_idx']):
        return transform
    return {**transform, 'meta_keys': (*transform['meta_keys'], 'sample_idx')}


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
            f'a set of {len(dataset)} samples leaves some of {dist.get_world_size()} processes without any: '
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
