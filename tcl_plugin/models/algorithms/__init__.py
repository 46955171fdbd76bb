# SPDX-License-Identifier: Apache-2.0
"""Training algorithms."""

from .tcl import TCL

__all__ = ['TCL']
