# SPDX-License-Identifier: Apache-2.0
"""Processes that are killed in the middle of their work, and disks that are full."""

import contextlib
import multiprocessing
import os
import random
import resource
import signal
import time
from collections.abc import Callable, Iterator


def killed_at_work(work: Callable, times: int, longest: float = 0.01) -> Iterator[int]:
    """Let a process do something again and again, kill it as if the power failed, and start another.

    A fork has everything imported that this process has.

    Args:
        work (Callable): What it does; takes the number of the repetition.
        times (int): How many processes are killed.
        longest (float): Seconds after its first repetition by which a process is killed.

    Yields:
        int: Number of the process that has just been killed.
    """
    context, chance = multiprocessing.get_context('fork'), random.Random(0)
    for number in range(times):
        begun, beginning = context.Pipe(duplex=False)
        process = context.Process(target=_repeat, args=(work, beginning), daemon=True)
        process.start()
        beginning.close()
        assert begun.poll(30), 'the process does nothing'
        time.sleep(chance.uniform(0, longest))
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL, 'the process has failed'
        yield number


def _repeat(work: Callable, beginning) -> None:
    number = 0
    while True:
        work(number)
        if not number:
            beginning.send(True)
        number += 1


def killed_in_the_middle(work: Callable, room: int) -> None:
    """Let a process write, and let the system kill it when a file of it has a certain size.

    Args:
        work (Callable): What it does, without arguments.
        room (int): The size in bytes.
    """

    def begin() -> None:
        # Python asks for an error instead.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        with full_disk(room):
            work()

    process = multiprocessing.get_context('fork').Process(target=begin)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGXFSZ, 'the process has not been killed'


@contextlib.contextmanager
def full_disk(room: int) -> Iterator[None]:
    """Refuse to let files grow beyond a size: writing fails half-way, as it does where no room is left.

    Args:
        room (int): Largest size of a file in bytes.

    Yields:
        None: Nothing.
    """
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
