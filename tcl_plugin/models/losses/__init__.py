# SPDX-License-Identifier: Apache-2.0
"""The terms of the losses, each with its formula."""

from .contrastive import info_nce, momentum_contrast
from .entropy import entropy_regularization
from .robust import GeneralizedCrossEntropyLoss, SymmetricCrossEntropyLoss
from .sample_loss import SampleLoss
from .targets import correct_labels, soft_cross_entropy

__all__ = [
    'GeneralizedCrossEntropyLoss',
    'SampleLoss',
    'SymmetricCrossEntropyLoss',
    'correct_labels',
    'entropy_regularization',
    'info_nce',
    'momentum_contrast',
    'soft_cross_entropy',
]
