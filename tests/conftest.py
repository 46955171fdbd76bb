# SPDX-License-Identifier: Apache-2.0
"""What tests of several rooms share."""

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from processes import ProcessGroup
from terminals import CurrentStdout, Terminal

HERE = Path(__file__).resolve().parent

# Networks this small are slower on several threads, and much slower on a busy machine.
torch.set_num_threads(1)


def pytest_collection_finish() -> None:
    """Leave what has been imported out of garbage collection.

    mmengine collects for each data set that it serialises, and would look at all modules each time, for a quarter of a
    second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope='session', autouse=True)
def loggers_outlive_their_stream() -> Iterator[None]:
    """Loggers write to the stdout of the test that runs.

    They live as long as the process, and would keep the stdout of the test that made them. That one may be closed by
    the time another test logs something, which then finds a traceback in its stderr.
    """
    init = MMLogger.__init__

    def init_with_current_stdout(self: MMLogger, *args: object, **kwargs: object) -> None:
        init(self, *args, **kwargs)
        self.handlers[0].stream = CurrentStdout()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MMLogger, '__init__', init_with_current_stdout)
        yield


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
    monkeypatch.setattr('tcl_plugin.progress.PATIENCE', 0)
    monkeypatch.setattr('tcl_plugin.progress.REDRAW', 0)
    return Terminal('stderr')
