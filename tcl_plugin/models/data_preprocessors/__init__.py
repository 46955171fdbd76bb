# SPDX-License-Identifier: Apache-2.0
"""What happens to a batch between the data loader and the network."""

from .multi_view import MultiViewDataPreprocessor

__all__ = ['MultiViewDataPreprocessor']
