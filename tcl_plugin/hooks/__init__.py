# SPDX-License-Identifier: Apache-2.0
"""When things happen during training."""

from .label_noise_hook import LabelNoiseHook

__all__ = ['LabelNoiseHook']
