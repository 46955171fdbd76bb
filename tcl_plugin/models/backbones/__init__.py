# SPDX-License-Identifier: Apache-2.0
"""Backbones that mmpretrain lacks."""

from .preact_resnet import PreActResNet

__all__ = ['PreActResNet']
