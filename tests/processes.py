# SPDX-License-Identifier: Apache-2.0
"""Processes that stay up for a whole test run, so that tests of distributed code start them only once."""

import gc
import multiprocessing
import os
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import torch

# Starting takes some ten seconds, and longer on a busy machine.
TIME_LIMIT = 300


class ProcessGroup:
    """Calls functions in processes that form a gloo group.

    Args:
        folder (Path): An empty folder, for the files by which the processes find one another.
        size (int): Number of processes.
        limit (float): Seconds after which a call has failed, and everything is stopped.
    """

    def __init__(self, folder: Path, size: int = 2, limit: float = TIME_LIMIT) -> None:
        self.folder = Path(folder)
        self.size = size
        self.limit = limit
        self.starts = 0
        self.processes: list = []
        self.connections: list[Connection] = []

    def __call__(self, function: Callable, *args) -> list[Any]:
        """Call ``function(rank, *args)`` in all processes.

        Args:
            function (Callable): A function at the top of a module, for spawned processes to find.
            *args: What it takes besides the rank; no tensors, which would need shared memory.

        Returns:
            list: What it returned, by rank.

        Raises:
            RuntimeError: If a process has failed, or not answered in time.
        """
        if not self.processes:
            self._start()
        for connection in self.connections:
            connection.send((function, args))
        answers, end = {}, time.monotonic() + self.limit
        while len(answers) < self.size:
            waiting = [connection for connection in self.connections if connection not in answers]
            ready = wait(waiting, timeout=max(0, end - time.monotonic()))
            if not ready:
                self.stop()
                raise RuntimeError(f'{function.__name__}: no answer within {self.limit} s')
            for connection in ready:
                answers[connection] = self._receive(connection, function)
        return [answers[connection] for connection in self.connections]

    def stop(self) -> None:
        """End all processes."""
        for process in self.processes:
            process.kill()
            process.join()
        for connection in self.connections:
            connection.close()
        self.processes, self.connections = [], []

    def _start(self) -> None:
        context = multiprocessing.get_context('spawn')
        meeting_point = self.folder / f'group_{self.starts}'
        self.starts += 1
        for rank in range(self.size):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(rank, self.size, meeting_point.as_uri(), theirs), daemon=True
            )
            process.start()
            theirs.close()
            self.processes.append(process)
            self.connections.append(ours)

    def _receive(self, connection: Connection, function: Callable) -> Any:
        try:
            good, answer = connection.recv()
        except EOFError:
            good, answer = False, 'the process has died'
        if not good:
            # The others may wait for this one.
            self.stop()
            raise RuntimeError(f'{function.__name__} failed:\n{answer}')
        return answer


def _serve(rank: int, size: int, meeting_point: str, connection: Connection) -> None:
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(size), CUDA_VISIBLE_DEVICES='-1')
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        'gloo', init_method=meeting_point, rank=rank, world_size=size, timeout=timedelta(seconds=TIME_LIMIT)
    )
    while True:
        # With the first call comes what the function needs; see pytest_collection_finish.
        function, args = connection.recv()
        gc.freeze()
        try:
            answer = True, function(rank, *args)
        except Exception:
            answer = False, traceback.format_exc()
        connection.send(answer)
