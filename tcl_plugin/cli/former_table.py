# SPDX-License-Identifier: Apache-2.0
"""The table of label quality of a training that another one in its work directory takes the place of."""

import os
import time
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.runner import Runner

from ..evaluation import TABLE_NAME
from ..reports.records import pieces_in


def set_table_aside(runner: Runner) -> None:
    """Move ``label_quality.csv`` of a former training to the log of that training.

    A training that begins anew would write over it, or, if it writes none, leave it for its own.

    Args:
        runner (Runner): The runner of a training that begins anew, before anything has been trained.
    """
    table = Path(runner.work_dir) / TABLE_NAME
    if not is_main_process() or not table.is_file():
        return
    # Folders of logs are named by the time at which they were begun.
    written = time.strftime('%Y%m%d_%H%M%S', time.localtime(table.stat().st_mtime))
    names = [piece.name for piece in pieces_in(table.parent) if piece.name <= written]
    place = table.parent / max(names, default=runner.timestamp) / TABLE_NAME
    if place.parent.name == runner.timestamp or place.exists():
        place = table.with_name(f'{table.stem}_before_{runner.timestamp}{table.suffix}')
    os.replace(table, place)
    runner.logger.info(f'{TABLE_NAME} of a training before this one is kept as {place}')
