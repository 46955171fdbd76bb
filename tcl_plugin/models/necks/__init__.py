# SPDX-License-Identifier: Apache-2.0
"""Necks that mmpretrain lacks."""

from .token_pooling import TokenPooling

__all__ = ['TokenPooling']
