# SPDX-License-Identifier: Apache-2.0
"""How well wrong labels were found, and the table that says which they are."""

from .label_table import LabelTable, read_label_table, write_label_table
from .noise_detection import detection_metrics, fitted_share

__all__ = ['LabelTable', 'detection_metrics', 'fitted_share', 'read_label_table', 'write_label_table']
