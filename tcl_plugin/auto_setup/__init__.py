# SPDX-License-Identifier: Apache-2.0
"""Settle what a config leaves open, from the data and the machine."""

from .image_folder import ImageFolderSetup
from .machine import is_first_process
from .resolve import Decision, complete, decide
from .table import TableSetup

__all__ = ['Decision', 'ImageFolderSetup', 'TableSetup', 'complete', 'decide', 'is_first_process']
