# SPDX-License-Identifier: Apache-2.0
"""Random numbers of data loader workers, as a function of epoch and batch."""

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from ..seeding import derive_seeds

READING = 2


class WorkerSeeds:
    """A ``worker_init_fn`` after which a worker seeds itself for each batch that it reads.

    mmengine seeds a worker when it starts, always alike: workers that start anew with each epoch draw the same numbers
    in each, and workers that stay start anew after a resume.

    Args:
        init_fn (Callable, optional): What the data loader calls in a new worker otherwise.
        seed (int): Seed of the run.
    """

    def __init__(self, init_fn: Callable | None, seed: int) -> None:
        self.init_fn = init_fn
        self.seed = seed
        # Workers that stay see the number change.
        self.epoch = torch.zeros((), dtype=torch.long).share_memory_()

    @classmethod
    def of(cls, loader: DataLoader, seed: int) -> 'WorkerSeeds':
        """Make a data loader use it.

        Args:
            loader (DataLoader): The loader, whose workers have not started.
            seed (int): Seed of the run.

        Returns:
            WorkerSeeds: What the loader calls from now on.
        """
        former = loader.worker_init_fn
        seeds = former if isinstance(former, cls) else cls(former, seed)
        loader.worker_init_fn = seeds
        return seeds

    def start_epoch(self, epoch: int) -> None:
        """Say which epoch begins, before the loader is asked for its first batch."""
        self.epoch.fill_(epoch)

    def __call__(self, worker_id: int) -> None:
        """Prepare a worker, in the worker.

        Args:
            worker_id (int): Its number.
        """
        if self.init_fn is not None:
            self.init_fn(worker_id)
        # The worker's own copy of the dataset; torch looks for this method before it asks for single samples.
        info = get_worker_info()
        assert info is not None, 'called outside a worker'
        dataset: Any = info.dataset
        dataset.__getitems__ = partial(self._read, _reader_of(dataset))

    def _read(self, read: Callable, indices: Sequence[int]) -> list:
        for_python, for_numpy, for_torch = derive_seeds(3, self.seed, READING, int(self.epoch), *indices)
        random.seed(for_python)
        np.random.seed(for_numpy)
        # Of the CPU alone: workers have no GPU.
        torch.default_generator.manual_seed(for_torch)
        return read(indices)


def _reader_of(dataset: Dataset) -> Callable:
    """What torch would call for the samples of a batch."""
    return getattr(dataset, '__getitems__', None) or partial(_read_each, dataset)


def _read_each(dataset: Dataset, indices: Sequence[int]) -> list:
    return [dataset[index] for index in indices]
