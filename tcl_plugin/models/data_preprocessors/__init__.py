# SPDX-License-Identifier: Apache-2.0
"""What happens to a batch between the data loader and the network."""

from .batch_views import BatchViewDataPreprocessor
from .multi_view import MultiViewDataPreprocessor

__all__ = ['BatchViewDataPreprocessor', 'MultiViewDataPreprocessor']
