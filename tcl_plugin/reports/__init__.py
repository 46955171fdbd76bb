# SPDX-License-Identifier: Apache-2.0
"""Tables and pictures for people, from the files that runs leave behind."""

from .curves import plot_curves
from .records import RunRecord, read_record
from .runs import Run, find_runs, read_run, read_run_info

__all__ = ['Run', 'RunRecord', 'find_runs', 'plot_curves', 'read_record', 'read_run', 'read_run_info']
