# SPDX-License-Identifier: Apache-2.0
"""Which samples an epoch consists of."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.dist import get_dist_info, sync_random_seed
from mmpretrain.registry import DATA_SAMPLERS
from torch import Generator, Tensor
from torch.utils.data import Dataset, Sampler

from ..seeding import generator_for

# What a seed is for, beside what other modules number.
CHOOSING = 4


@DATA_SAMPLERS.register_module()
class ClassBalancedSubsetSampler(Sampler):
    """Draw a fresh subset each epoch, with as many samples of each class, in random order.

    So the literature trains on Clothing1M: an epoch is a thousand batches or so, in which classes
    are equally frequent *by their given labels*. A class that has fewer samples than its share gives
    some of them more than once; a class without any is passed over. What the share's rounding leaves
    over, falls to classes drawn anew each epoch.

    In a distributed run each process gets its part of one and the same subset, all of one length.
    Hooks that make a pass of their own over the training set are not concerned.

    Args:
        dataset (Dataset): A :class:`NoisyLabelDataset`, or another with ``given_labels``.
        num_samples (int): Number of samples of an epoch, over all processes. It is rounded up to a
            multiple of their number.
        seed (int, optional): Seed, the same in all processes. Defaults to None, for one that they
            agree on. The subset is a function of it and of the epoch's number.

    Raises:
        TypeError: The dataset has no given labels.
        ValueError: ``num_samples`` is less than 1, or the dataset is empty.
    """

    def __init__(self, dataset: Dataset, num_samples: int, seed: int | None = None) -> None:
        if num_samples < 1:
            raise ValueError(f'num_samples must be 1 or more, got {num_samples}')
        labels = getattr(dataset, 'given_labels', None)
        if labels is None:
            raise TypeError(
                f'ClassBalancedSubsetSampler needs a dataset with given_labels, got {type(dataset).__name__}: '
                'wrap it in a NoisyLabelDataset'
            )
        if not len(labels):
            raise ValueError('ClassBalancedSubsetSampler: the dataset is empty')
        self.rank, self.world_size = get_dist_info()
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self.num_samples = math.ceil(num_samples / self.world_size)
        self.total_size = self.num_samples * self.world_size
        order = np.argsort(labels, kind='stable')
        starts = np.flatnonzero(np.diff(labels[order])) + 1
        self._members = [torch.from_numpy(part) for part in np.split(order, starts)]

    def __iter__(self) -> Iterator[int]:
        """Iterate over this process's indices of the epoch."""
        generator = generator_for(self.seed, CHOOSING, self.epoch)
        chosen = torch.cat([_draw(members, n, generator) for members, n in self._shares(generator)])
        chosen = chosen[torch.randperm(len(chosen), generator=generator)]
        return iter(chosen[self.rank :: self.world_size].tolist())

    def _shares(self, generator: Generator) -> list[tuple[Tensor, int]]:
        """Each class's samples, and how many of them the epoch has."""
        share, left_over = divmod(self.total_size, len(self._members))
        favoured = set(torch.randperm(len(self._members), generator=generator)[:left_over].tolist())
        return [(members, share + (i in favoured)) for i, members in enumerate(self._members)]

    def __len__(self) -> int:
        """Number of this process's samples."""
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which decides the subset.

        Args:
            epoch (int): Number of the epoch.
        """
        self.epoch = epoch


def _draw(members: Tensor, number: int, generator: Generator) -> Tensor:
    """Draw from one class, each sample as often as the others, or once more."""
    rounds = [torch.randperm(len(members), generator=generator) for _ in range(math.ceil(number / len(members)))]
    return members[torch.cat(rounds)[:number]] if rounds else members[:0]
