# SPDX-License-Identifier: Apache-2.0
"""Seeds that are a function of what they are for: of the run's seed, the epoch, the batch."""

import random

import numpy as np
import torch


def derive_seeds(count: int, *numbers: int) -> list[int]:
    """Mix numbers into seeds.

    Neighbouring numbers give seeds that have nothing to do with each other. Adding them up, as in ``seed + epoch``,
    would give the second epoch of one run the random numbers of the first epoch of the next.

    Args:
        count (int): Number of seeds.
        *numbers (int): What they are for, such as seed and epoch; 0 or more each.

    Returns:
        list[int]: The seeds, 32 bits each.
    """
    # SeedSequence takes [1] and [1, 0] for the same.
    sequence = np.random.SeedSequence([len(numbers), *numbers])
    return sequence.generate_state(count).tolist()


def seed_everything(*numbers: int) -> None:
    """Seed the global generators of Python, numpy and torch, those of all GPUs included.

    Args:
        *numbers (int): What the seed is for, see :func:`derive_seeds`.
    """
    for_python, for_numpy, for_torch = derive_seeds(3, *numbers)
    random.seed(for_python)
    np.random.seed(for_numpy)
    torch.manual_seed(for_torch)


def generator_for(*numbers: int) -> torch.Generator:
    """Make a generator of torch on the CPU.

    Args:
        *numbers (int): What it is for, see :func:`derive_seeds`.

    Returns:
        torch.Generator: The generator.
    """
    return torch.Generator().manual_seed(derive_seeds(1, *numbers)[0])
