# SPDX-License-Identifier: Apache-2.0
"""Heads, which own the losses."""

from .elr_head import ELRHead
from .m_correction_head import MCorrectionHead
from .pencil_head import PENCILHead
from .tcl_ensemble_head import TCLEnsembleHead
from .tcl_head import TCLHead

__all__ = ['ELRHead', 'MCorrectionHead', 'PENCILHead', 'TCLEnsembleHead', 'TCLHead']
