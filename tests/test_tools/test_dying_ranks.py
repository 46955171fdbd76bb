# SPDX-License-Identifier: Apache-2.0
"""A process of a distributed run dies or hangs: the others end, its error is what is seen, and all files are whole."""

import multiprocessing
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from rank_faults import MESSAGE
from toolbox import STILL

from tcl_plugin.checkpoints import RECORD, find_whole_checkpoint
from tcl_plugin.evaluation import TABLE_NAME, read_label_table

# Beyond what a busy machine needs between two collectives, and far below torch's half an hour.
TIMEOUT = 20
LIMIT = 120
GRACE = 1

LOST = 'the connection to another process of this run was lost: why it ended is said by its own error'
SILENT = 'process 1 of this run has not answered in time: it hangs, or needs longer than env_cfg.dist_cfg.timeout'


@dataclass
class Ended:
    """What is left of a run.

    Attributes:
        codes (list[int | None]): Exit code of each process; None for one that has not ended.
        printed (list[str]): What each wrote to stderr.
        moments (list[float]): Seconds after which each had ended.
    """

    codes: list[int | None]
    printed: list[str]
    moments: list[float]


def be_rank(rank, size, tool, argv, port):
    """Be a process that torchrun has started: forked, so that everything is imported."""
    places = dict(RANK=rank, LOCAL_RANK=rank, WORLD_SIZE=size, MASTER_ADDR='127.0.0.1', MASTER_PORT=port)
    os.environ.update({name: str(value) for name, value in places.items()})
    with open(f'{rank}.err', 'w') as file:
        os.dup2(file.fileno(), 2)
    sys.stderr = os.fdopen(2, 'w', buffering=1)
    try:
        sys.exit(tool.main(argv))
    finally:
        # By a clock that all processes share: whoever waits for them may be late.
        Path(f'{rank}.end').write_text(str(time.monotonic()))


@pytest.fixture
def run(train_tool, workplace, monkeypatch):
    """Train with some processes, one of which fails."""
    for name in ('tcl_plugin.errors.GRACE_SECONDS', 'tcl_plugin.lost_process.ANSWER_SECONDS'):
        monkeypatch.setattr(name, GRACE)
    # What takes longer than all the rest.
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **kwargs: (text, False), raising=False)

    def call(size, **fault):
        Path('failing.py').write_text(config(**fault))
        with socket.socket() as free:
            free.bind(('127.0.0.1', 0))
            port = free.getsockname()[1]
        context, argv = multiprocessing.get_context('fork'), ['failing.py', '--launcher', 'pytorch', '--work-dir', 'w']
        shared = size, train_tool, argv, port
        ranks = [context.Process(target=be_rank, args=(rank, *shared)) for rank in range(size)]
        for process in ranks:
            process.start()
        try:
            return outcome(ranks, stays=fault.get('rank', 1) if fault['kind'] == 'stop' else None)
        finally:
            for process in ranks:
                process.kill()
                process.join()

    return call


def config(**fault):
    """The config of a run in which something fails."""
    fault = dict(type='FailingRank', **fault)
    changes = f'custom_hooks += [{fault}]\nenv_cfg = dict(dist_cfg=dict(timeout={TIMEOUT}))\n'
    return f'{STILL}train_dataloader.update(batch_size=2)\n{changes}'


def outcome(ranks, stays):
    """Wait for all processes but one that hangs."""
    begun, moments = time.monotonic(), [0.0] * len(ranks)
    waited_for = [rank for rank in range(len(ranks)) if rank != stays]
    while any(not moments[rank] for rank in waited_for) and time.monotonic() - begun < LIMIT:
        for rank in waited_for:
            if not moments[rank] and not ranks[rank].is_alive():
                moments[rank] = time.monotonic() - begun
        time.sleep(0.02)
    for rank in waited_for:
        if Path(f'{rank}.end').exists():  # of those that were not killed
            moments[rank] = float(Path(f'{rank}.end').read_text()) - begun
    printed = [Path(f'{rank}.err').read_text() for rank in range(len(ranks))]
    return Ended([process.exitcode for process in ranks], printed, moments)


def errors_of(ended):
    """The lines that each process ended with."""
    return [[line for line in text.splitlines() if line.startswith('error: ')] for text in ended.printed]


def assert_first_epoch_is_whole():
    """What was written before is there, and nothing beside it."""
    assert [path.name for path in Path('w').glob('*.pth')] == ['epoch_1.pth']
    found = find_whole_checkpoint('w')
    assert (found.path.name, found.damaged) == ('epoch_1.pth', [])
    assert Path('w', RECORD).read_text().endswith('epoch_1.pth')
    assert len(read_label_table(Path('w', TABLE_NAME)).sample_idx) == 20
    assert not list(Path('w').glob('*.tmp'))


def assert_one_line_each(ended, survivors, expected):
    """Those that are left say one thing, in one line, and nothing that hides what has happened."""
    for rank in survivors:
        (line,) = errors_of(ended)[rank]
        assert line.startswith(f'error: {f"rank {rank}: " if rank else ""}{expected}')
        assert 'Traceback' not in ended.printed[rank]
        assert ended.codes[rank] == 2


def test_exception_within_the_pass(run):
    ended = run(3, kind='raise', place='pass')
    assert ended.codes[1] == 1
    assert 'Traceback' in ended.printed[1] and f'ArithmeticError: {MESSAGE}' in ended.printed[1]
    assert_one_line_each(ended, [0, 2], LOST)
    # The launcher has seen by then which of them was the first to end.
    assert min(ended.moments[0], ended.moments[2]) > ended.moments[1] + GRACE / 2
    assert_first_epoch_is_whole()


def test_killed_within_a_step(run):
    ended = run(2, kind='kill', place='step')
    assert ended.codes[1] == -signal.SIGKILL
    assert_one_line_each(ended, [0], LOST)
    assert_first_epoch_is_whole()


def test_first_process_is_killed_before_it_saves(run):
    """It is also the one that keeps what the processes share."""
    ended = run(2, kind='kill', place='save', rank=0)
    assert ended.codes[0] == -signal.SIGKILL
    assert_one_line_each(ended, [1], LOST)
    assert [path.name for path in Path('w').glob('*.pth')] == ['epoch_1.pth']
    assert find_whole_checkpoint('w').damaged == [] and not list(Path('w').glob('*.tmp'))


def test_hangs_within_the_pass(run):
    """Nothing breaks off, so that only the time tells; and the one that hangs is named."""
    ended = run(3, kind='stop', place='pass')
    assert ended.codes[1] is None
    assert_one_line_each(ended, [0, 2], SILENT)
    assert_first_epoch_is_whole()
