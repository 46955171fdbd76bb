# SPDX-License-Identifier: Apache-2.0
"""What each of several processes does in the tests of samplers."""

import numpy as np

from tcl_plugin.datasets import ClassBalancedSubsetSampler


class Labels:
    """As much of a dataset as the sampler needs."""

    def __init__(self, labels) -> None:
        self.given_labels = np.asarray(labels)


def draw(rank: int, labels: list[int], num_samples: int, seed: int | None, epochs: int) -> tuple[int, list[list[int]]]:
    """Length of a sampler, and this process's indices in each epoch."""
    sampler = ClassBalancedSubsetSampler(Labels(labels), num_samples, seed)
    drawn = []
    for epoch in range(epochs):
        sampler.set_epoch(epoch)
        drawn.append(list(sampler))
    return len(sampler), drawn
