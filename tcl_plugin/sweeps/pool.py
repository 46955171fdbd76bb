# SPDX-License-Identifier: Apache-2.0
"""Running trainings, some at a time, each in a process of its own."""

import contextlib
import io
import math
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError, explained
from ..explain import explain_files, explain_full_disk
from ..reports import read_record, read_run
from .plan import Job
from .record import finished, keep_record


def train(tool: Path, arguments: list[str], folder: str, threads: int) -> None:
    """Run ``tools/train.py`` in this process, with what it prints in a file.

    Args:
        tool (Path): The tool.
        arguments (list[str]): Its arguments.
        folder (str): Work directory; its ``train.out`` gets what is printed.
        threads (int): Number of threads of torch.
    """
    _end_with_the_sweep()
    Path(folder).mkdir(parents=True, exist_ok=True)
    # Not emptied: another sweep may be at work, whose training this one will be refused for.
    with (Path(folder) / 'train.out').open('a', encoding='utf-8') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding='utf-8', errors='backslashreplace')
    torch.set_num_threads(threads)
    sys.argv = [str(tool), *arguments]
    sys.path.insert(0, str(tool.parent))
    from train import main as train_main

    sys.exit(train_main(arguments))


def _end_with_the_sweep() -> None:
    """End this process when that of the sweep ends, however it does.

    A training that went on alone would write into the same folder as that of the next sweep.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None  # multiprocessing has started this process

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


class Pool:
    """Runs jobs, so many at a time.

    Args:
        size (int): Number of jobs at a time.
        gpus (int): Number of GPUs, over which jobs are dealt out.
        tool (Path): ``tools/train.py`` of a checkout.
    """

    def __init__(self, size: int, gpus: int, tool: Path) -> None:
        self.tool = tool
        self.size = size
        self.gpus = gpus
        # As many as there are cores, unless OMP_NUM_THREADS says less: more would wait for one another.
        self.threads = max(1, torch.get_num_threads() // size)
        # The server, unlike this process, would import an installed package before that of this checkout.
        os.environ['PYTHONPATH'] = os.pathsep.join(
            filter(None, [str(tool.parent.parent), os.environ.get('PYTHONPATH')])
        )
        # A server that has imported everything splits off a process for each job. Not where there are GPUs: importing
        # mmengine asks CUDA, which a process that is split off afterwards cannot use. Windows has no such server.
        split_off = not gpus and 'forkserver' in multiprocessing.get_all_start_methods()
        self.context: Any = multiprocessing.get_context('forkserver' if split_off else 'spawn')
        if split_off:
            self.context.set_forkserver_preload(['tcl_plugin', 'mmpretrain.datasets', 'mmpretrain.evaluation'])
        self.running: dict[Any, tuple[int, Job, Any, float]] = {}

    def start(self, job: Job) -> None:
        """Start a job on a free place, unless another sweep has trained something else there meanwhile.

        Args:
            job (Job): The job.
        """
        try:
            with explained(explain_full_disk, explain_files):
                keep_record(job)
        except UserError as error:
            job.state = 'failed'
            print(f'{job.folder}: not trained: {error}', flush=True)
            return
        place = min(set(range(self.size)) - {place for place, *_ in self.running.values()})
        process = self.context.Process(target=train, args=(self.tool, job.arguments, str(job.folder), self.threads))
        with _seeing(place % self.gpus if self.gpus else None):
            process.start()
        job.state = 'running'
        self.running[process.sentinel] = (place, job, process, time.monotonic())

    def wait(self) -> None:
        """Wait until a job has ended, and tell of it."""
        for sentinel in multiprocessing.connection.wait(list(self.running)):
            _, job, process, start = self.running.pop(sentinel)
            process.join()
            job.state = 'failed' if process.exitcode else 'done'
            _tell(job, f'{time.monotonic() - start:.0f} s', process.exitcode or 0)

    def stop(self) -> None:
        """End what is running."""
        for _, _, process, _ in self.running.values():
            process.terminate()


@contextlib.contextmanager
def _seeing(gpu: int | None) -> Iterator[None]:
    """Let a process that is started see one GPU, of those that the user has chosen, if so."""
    chosen = os.environ.get('CUDA_VISIBLE_DEVICES')
    if gpu is not None:
        # Before it begins: what it imports at first reads the list of devices.
        os.environ['CUDA_VISIBLE_DEVICES'] = chosen.split(',')[gpu] if chosen else str(gpu)
    try:
        yield
    finally:
        if chosen is None:
            os.environ.pop('CUDA_VISIBLE_DEVICES', None)
        else:
            os.environ['CUDA_VISIBLE_DEVICES'] = chosen


def _signal(exit_code: int) -> str:
    try:
        return signal.Signals(-exit_code).name
    except ValueError:  # one that Python has no name for
        return f'signal {-exit_code}'


def _printable(text: str) -> str:
    """A text in which what the output's encoding lacks is written by its number."""
    encoding = sys.stdout.encoding or 'utf-8'
    return text.encode(encoding, errors='backslashreplace').decode(encoding)


def _tell(job: Job, took: str, exit_code: int) -> None:
    """One line on a job that has ended."""
    if job.state == 'failed':
        out = job.folder / 'train.out'
        lines = out.read_text(encoding='utf-8', errors='backslashreplace').splitlines() if out.exists() else []
        # Killed, it has not said why: its last line is of something else.
        reason = f'ended by {_signal(exit_code)}' if exit_code < 0 else lines[-1] if lines else 'no output'
        print(f'{job.folder}: failed after {took}: {_printable(reason)}; see {out}', flush=True)
    elif (what := _why_unmeasured(job)) is None:
        run = read_run(job.folder)
        early = f', stopped early after {run.epochs} of {run.max_epochs} epochs' if run.stopped_early else ''
        print(f'{job.folder}: last {run.last:.1f} %, best {run.best:.1f} %, {took}{early}', flush=True)
    else:
        job.state = 'unmeasured'
        print(f'{job.folder}: trained, {took}, but {what}', flush=True)


def _why_unmeasured(job: Job) -> str | None:
    """Why a table has no row for a training that has ended; None where it has one."""
    try:
        if finished(job.folder):
            return None
    except ValueError as error:
        return str(error)
    trained, wanted = _trained_epochs(job.folder), job.max_epochs
    stopped = f'stopped after {trained} of {wanted} epochs' if trained < wanted else None
    return stopped or 'its last epoch has no accuracy/top1'


def _trained_epochs(folder: Path) -> float:
    """How many epochs have lines on training; all where there is no record of them."""
    try:
        losses = read_record(folder).losses.values()
    except (ValueError, FileNotFoundError):
        return math.inf
    return max((epoch for values in losses for epoch in values), default=math.inf)


def run_all(jobs: Sequence[Job], pool: Pool) -> None:
    """Run all jobs; those that need another one's checkpoint wait for it, and fail with it.

    Args:
        jobs (Sequence[Job]): The jobs.
        pool (Pool): Runs them.
    """
    try:
        while True:
            for job in jobs:
                if job.state == 'waiting' and job.needs and job.needs.state == 'failed':
                    job.state = 'failed'
                    print(f'{job.folder}: not trained, as {job.needs.folder} has failed', flush=True)
                ready = job.state == 'waiting' and (job.needs is None or job.needs.state in ('done', 'unmeasured'))
                if ready and len(pool.running) < pool.size:
                    pool.start(job)
            if not pool.running:
                return
            pool.wait()
    finally:
        pool.stop()
