# SPDX-License-Identifier: Apache-2.0
"""Training algorithms."""

from .fast_classifier import FastImageClassifier
from .m_correction import MCorrection
from .mixup import MixupClassifier
from .tcl import TCL
from .tcl_moco import TCLMoCo
from .tcl_plus import TCLPlus

__all__ = ['TCL', 'FastImageClassifier', 'MCorrection', 'MixupClassifier', 'TCLMoCo', 'TCLPlus']
