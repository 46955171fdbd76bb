# SPDX-License-Identifier: Apache-2.0
"""Seeds of different things have nothing to do with each other."""

import random
from types import SimpleNamespace

import numpy as np
import torch

from tcl_plugin.hooks import worker_seeds
from tcl_plugin.hooks.worker_seeds import WorkerSeeds
from tcl_plugin.seeding import derive_seeds, generator_for, seed_everything


def drawn(*_):
    """What each of the global generators gives next."""
    return random.random(), np.random.rand(), torch.rand(()).item()


def test_neighbours_have_different_seeds():
    numbers = [(), (0,), (0, 0), (1,), (1, 0), (0, 1), (1, 1), (2, 0), (0, 0, 0)]
    assert len({tuple(derive_seeds(2, *n)) for n in numbers}) == len(numbers)
    assert derive_seeds(2, 3, 4) == derive_seeds(2, 3, 4)
    assert torch.equal(torch.rand(3, generator=generator_for(5)), torch.rand(3, generator=generator_for(5)))


def test_all_generators_are_seeded():
    draws = []
    for step in (0, 1, 0):
        seed_everything(7, step)
        draws.append(drawn())
    first, other, again = draws
    assert first == again and not set(first) & set(other)


def test_worker_draws_by_epoch_and_batch():
    worker = WorkerSeeds(None, seed=3)
    draws = {}
    for epoch in (0, 1):
        worker.start_epoch(epoch)
        for batch in ((1, 2), (2, 1), (1, 2, 3)):
            draws[epoch, batch] = worker._read(drawn, batch)
    assert len({value for values in draws.values() for value in values}) == 3 * len(draws)
    # Not by what it has read before.
    assert worker._read(drawn, (1, 2)) == draws[1, (1, 2)]
    assert WorkerSeeds(None, seed=4)._read(drawn, (1, 2)) != WorkerSeeds(None, seed=3)._read(drawn, (1, 2))


class Batches(torch.utils.data.Dataset):
    """A data set that reads a batch at once."""

    def __len__(self):
        return 2

    def __getitems__(self, indices):
        return ['at once', *indices]


def test_a_worker_does_what_it_would_do_otherwise(monkeypatch):
    """Its loader's own preparation; reading in the data set's own way. A second training wraps nothing twice."""
    prepared = []
    loader = torch.utils.data.DataLoader(Batches(), worker_init_fn=prepared.append)
    worker = WorkerSeeds.of(loader, 3)
    assert WorkerSeeds.of(loader, 3) is loader.worker_init_fn is worker
    monkeypatch.setattr(worker_seeds, 'get_worker_info', lambda: SimpleNamespace(dataset=loader.dataset))
    worker(5)
    assert prepared == [5] and loader.dataset.__getitems__([1, 0]) == ['at once', 1, 0]
