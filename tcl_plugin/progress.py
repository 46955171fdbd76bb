# SPDX-License-Identifier: Apache-2.0
"""A line that says how long a step still takes, for people who watch; nothing in logs and pipes.

rich does the drawing. mmengine's and mmpretrain's own bars also write into files, and the latter draws from a thread:
workers of a data loader that are forked meanwhile would inherit its lock.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

import mmengine.dist as dist
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Item = TypeVar('Item')

# Seconds: steps shorter than this show nothing, and a line is drawn anew no sooner than this.
PATIENCE = 0.5
REDRAW = 0.1


def is_watched() -> bool:
    """Tell whether somebody sees the line.

    Returns:
        bool: Whether this is the main process and its stderr a terminal that can take a line back.
    """
    if not dist.is_main_process() or sys.stderr is None or not sys.stderr.isatty():
        return False
    return os.environ.get('TERM', '').lower() not in ('dumb', 'unknown')


@contextmanager
def progress(what: str, total: int | None, patience: float | None = None) -> Iterator[Callable[..., None]]:
    """Show how far a step has come and how much time remains, on stderr, where :func:`is_watched`.

    The line is gone when the block ends, so that what is written next starts at the left. It is not shown before the
    first parts are done and ``patience`` has passed: by then a data loader has started its workers.

    Args:
        what (str): What is going on.
        total (int, optional): Number of parts. None, if it cannot be known: the line says how long it has taken.
        patience (float, optional): Seconds before the line appears. Defaults to None, half a second; with 0 it is
            there at once.

    Yields:
        Callable: A function to call with the number of parts that have been done since the last call, by default 1.
    """
    if not is_watched():
        yield _ignore
        return
    line = _Line(what, total, PATIENCE if patience is None else patience)
    try:
        yield line.advance
    finally:
        line.stop()


def track(items: Iterable[Item], what: str, total: int | None = None) -> Iterator[Item]:
    """Go through items, and show the progress. For the head of a ``for`` loop, which lets go of it in any event.

    Args:
        items (Iterable): The items.
        what (str): What is going on.
        total (int, optional): Number of items. Defaults to None, their length.

    Yields:
        Any: Each item.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with progress(what, total) as advance:
        yield from counted(items, advance)


def counted(items: Iterable[Item], advance: Callable[..., None]) -> Iterator[Item]:
    """Go through items, and tell a :func:`progress` of each that has been dealt with.

    Args:
        items (Iterable): The items.
        advance (Callable): What :func:`progress` yields.

    Yields:
        Any: Each item.
    """
    for item in items:
        yield item
        advance()


def _ignore(parts: int = 1) -> None:
    pass


class _Line:
    """The line itself.

    Args:
        what (str): See :func:`progress`.
        total (int, optional): See :func:`progress`.
        patience (float): Seconds before it appears.
    """

    def __init__(self, what: str, total: int | None, patience: float) -> None:
        name = TextColumn('{task.description}', markup=False)
        if total is None:
            columns: tuple[ProgressColumn, ...] = (SpinnerColumn(), name, TimeElapsedColumn())
        else:
            bar = BarColumn(bar_width=20)
            columns = (name, bar, MofNCompleteColumn(), TimeRemainingColumn(), TextColumn('left'))
        self._progress = Progress(
            *columns,
            # What others print meanwhile keeps its lines as they are.
            console=Console(stderr=True, force_terminal=True, soft_wrap=True, highlight=False),
            transient=True,
            # Where nothing is counted, only a thread can keep the line alive.
            auto_refresh=total is None,
            # It appears above the line; but not what goes into a file.
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),
        )
        self._task = self._progress.add_task(what, total=total)
        self._pending, self._drawn, self._due = 0, False, time.monotonic() + patience
        if patience <= 0 or total is None:
            self._draw()

    def advance(self, parts: int = 1) -> None:
        """Count parts; draw now and then."""
        self._pending += parts
        if time.monotonic() >= self._due:
            self._draw()

    def _draw(self) -> None:
        self._progress.update(self._task, advance=self._pending)
        if not self._drawn:
            self._progress.start()
            self._drawn = True
        self._progress.refresh()
        self._pending, self._due = 0, time.monotonic() + REDRAW

    def stop(self) -> None:
        """Take the line away."""
        if self._drawn:
            self._progress.stop()
