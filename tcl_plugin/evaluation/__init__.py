# SPDX-License-Identifier: Apache-2.0
"""How well wrong labels were found, and the table that says which they are."""

from .columns import escape_cell, unescape_cell, write_columns
from .label_table import TABLE_NAME, LabelTable, read_label_table, write_label_table
from .noise_detection import detection_metrics, fitted_share

__all__ = [
    'TABLE_NAME',
    'LabelTable',
    'detection_metrics',
    'escape_cell',
    'fitted_share',
    'read_label_table',
    'unescape_cell',
    'write_columns',
    'write_label_table',
]
