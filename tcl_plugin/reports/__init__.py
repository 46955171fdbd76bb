# SPDX-License-Identifier: Apache-2.0
"""Tables and pictures for people, from the files that runs leave behind."""

from .curves import plot_curves
from .records import RunRecord, read_record

__all__ = ['RunRecord', 'plot_curves', 'read_record']
