# SPDX-License-Identifier: Apache-2.0
"""Networks and losses; importing registers them all."""

from .algorithms import TCL
from .backbones import PreActResNet
from .data_preprocessors import MultiViewDataPreprocessor
from .heads import TCLHead

__all__ = ['TCL', 'MultiViewDataPreprocessor', 'PreActResNet', 'TCLHead']
