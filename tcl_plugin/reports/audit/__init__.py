# SPDX-License-Identifier: Apache-2.0
"""The labels that a run doubts: ranked, as files for programs, and as a page for a person to go through."""

from .decisions import apply_decisions, require_decisions
from .label_lists import write_label_lists
from .page import write_page
from .source import Audit, read_audit
from .summary import summarise
from .thumbnails import make_thumbnails

__all__ = [
    'Audit',
    'apply_decisions',
    'make_thumbnails',
    'read_audit',
    'require_decisions',
    'summarise',
    'write_label_lists',
    'write_page',
]
