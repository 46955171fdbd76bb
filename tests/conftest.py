# SPDX-License-Identifier: Apache-2.0
"""What tests of several rooms share."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from processes import ProcessGroup
from terminals import Terminal

HERE = Path(__file__).resolve().parent

# Networks this small are slower on several threads, and much slower on a busy machine.
torch.set_num_threads(1)


@pytest.fixture(scope='session')
def reference() -> dict[str, torch.Tensor]:
    """Inputs of the published implementation, and the numbers that it computes from them."""
    with np.load(HERE / 'data' / 'reference_numbers.npz', allow_pickle=False) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture(scope='session')
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessGroup]:
    """A :class:`ProcessGroup`, started at its first call."""
    pair = ProcessGroup(tmp_path_factory.mktemp('processes'))
    yield pair
    pair.stop()


@pytest.fixture(scope='module')
def four_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessGroup]:
    """The same with four; of one module, since so many are slow on a machine with few cores."""
    four = ProcessGroup(tmp_path_factory.mktemp('processes'), size=4)
    yield four
    four.stop()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal for stderr, to enter in the test; progress is drawn there at once and at every step."""
    monkeypatch.setenv('TERM', 'xterm')
    # A logger that an earlier test has left writes to what pytest has closed since, and would complain of that here.
    monkeypatch.setattr('logging.raiseExceptions', False)
    monkeypatch.setattr('tcl_plugin.progress.PATIENCE', 0)
    monkeypatch.setattr('tcl_plugin.progress.REDRAW', 0)
    return Terminal('stderr')
