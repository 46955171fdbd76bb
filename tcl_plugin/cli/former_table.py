# SPDX-License-Identifier: Apache-2.0
"""The table of label quality of a training that another one in its work directory takes the place of."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.runner import Runner

from ..evaluation import TABLE_NAME
from ..reports.records import pieces_in


@contextlib.contextmanager
def table_set_aside(runner: Runner) -> Iterator[None]:
    """Move ``label_quality.csv`` of a former training to the log of that training.

    A training that begins anew would write over it, or, if it writes none, leave it for its own. One that ends before
    its first step puts it back.

    Args:
        runner (Runner): The runner of a training that begins anew.

    Yields:
        None: For the time of the training.
    """
    table = Path(runner.work_dir) / TABLE_NAME
    place = _place_of(table, runner.timestamp) if is_main_process() and table.is_file() else None
    if place is not None:
        os.replace(table, place)
        runner.logger.info(f'{TABLE_NAME} of a training before this one is kept as {place}')
    try:
        yield
    except BaseException:
        if place is not None and runner.iter == 0:
            os.replace(place, table)
        raise


def _place_of(table: Path, timestamp: str) -> Path:
    """Where a table goes: to the log of the training that wrote it, if that can be told."""
    # Folders of logs are named by the time at which they were begun.
    written = time.strftime('%Y%m%d_%H%M%S', time.localtime(table.stat().st_mtime))
    names = [piece.name for piece in pieces_in(table.parent) if piece.name <= written]
    place = table.parent / max(names, default=timestamp) / TABLE_NAME
    if place.parent.name == timestamp or place.exists():
        return table.with_name(f'{table.stem}_before_{timestamp}{table.suffix}')
    return place
