# SPDX-License-Identifier: Apache-2.0
"""What the numbers of a run depend on besides its config and its random numbers."""

from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.runner import IterBasedTrainLoop, Runner
from torch.utils.data import DataLoader, Sampler

from ..compat import unwrap_model
from ..datasets.sidecar import digest
from ..provenance import device_name

# What is compared, and how a person calls it.
NAMES = dict(
    processes='processes',
    batch_size='batch size',
    workers='data loader workers',
    labels='given labels with SHA-256',
    images='images of open_set with SHA-256',
    device='device',
    torch='torch',
)

# Where a checkpoint has them.
KEY = 'conditions'
# Of a checkpoint: how many batches of an epoch had been trained, and of how many; 0 between epochs.
POSITION = 'position'


def sampler_of(loader: DataLoader) -> Sampler:
    """Find the sampler of a data loader, inside its batch sampler or not.

    Args:
        loader (DataLoader): The loader.

    Returns:
        Sampler: The sampler.
    """
    sampler: Any = loader.sampler  # torch says Iterable
    return getattr(loader.batch_sampler, 'sampler', sampler)


def conditions_of(runner: Runner) -> dict[str, str | int | bool | None]:
    """Describe the conditions of a run.

    Args:
        runner (Runner): The runner, with its data loader and its model.

    Returns:
        dict: ``sampler_seed``, and the entries of ``NAMES``. None where something is not known.
    """
    loader = runner.train_dataloader
    labels = getattr(loader.dataset, 'given_labels', None)
    return dict(
        sampler_seed=getattr(sampler_of(loader), 'seed', None),
        processes=get_world_size(),
        batch_size=getattr(loader.batch_sampler, 'batch_size', None),
        # Their number makes no difference.
        workers='some' if loader.num_workers else 'none',
        labels=None if labels is None else digest(labels),
        # Open-set noise leaves given labels as they are.
        images=getattr(loader.dataset, 'replaced_digest', None),
        device=device_name(next(unwrap_model(runner.model).parameters()).device),
        torch=str(torch.__version__),
    )


def what_has_changed(runner: Runner, saved: dict | None, now: dict) -> list[str]:
    """Find out why a resumed run is not the one that would not have stopped.

    Args:
        runner (Runner): The runner, resumed.
        saved (dict, optional): The conditions in the checkpoint; None if it has none.
        now (dict): Those of this run.

    Returns:
        list[str]: Reasons. Empty if it is the same run to the last bit.
    """
    if saved is None:
        return [
            'the checkpoint was written without EpochSeedHook, by another release or config, so that its random '
            'numbers do not continue'
        ]
    reasons = [
        f'{name} {saved.get(key)} before, {now[key]} now'
        for key, name in NAMES.items()
        if saved.get(key) is not None and saved[key] != now[key]
    ]
    device = next(unwrap_model(runner.model).parameters()).device
    if device.type == 'cuda' and not torch.are_deterministic_algorithms_enabled():
        reasons.append(
            'kernels of the GPU may sum in another order each time, unless randomness=dict(seed=..., '
            'deterministic=True) is set'
        )
    steps = (runner.cfg.get('optim_wrapper') or {}).get('accumulative_counts', 1)
    if runner.iter % steps:
        reasons.append(f'gradients of the last {runner.iter % steps} iterations, not applied yet, are not kept')
    if not isinstance(runner.train_loop, IterBasedTrainLoop):
        reasons += _stop_within_epoch(runner, saved, counts=not reasons)
    return reasons


def _stop_within_epoch(runner: Runner, saved: dict, counts: bool) -> list[str]:
    """Say that an epoch begins again; ``counts`` tells whether the number of iterations tells anything."""
    if POSITION in saved:
        within, length = saved[POSITION]
    else:  # of an earlier release
        within, length = runner.iter % len(runner.train_dataloader) if counts else 0, len(runner.train_dataloader)
    if within == length:
        return [
            f'the checkpoint was written after all {length} iterations of an epoch, but before what follows the last '
            'of them: the epoch begins again (checkpoints with by_epoch=True lose none)'
        ]
    told = f'the checkpoint was written after {within} of the {length} iterations of an epoch, which begins again'
    return [told] if within else []
