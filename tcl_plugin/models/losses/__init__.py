# SPDX-License-Identifier: Apache-2.0
"""The terms of the losses, each with its formula."""

from .contrastive import info_nce, momentum_contrast
from .entropy import entropy_regularization
from .forward_correction import ForwardCorrectionLoss
from .robust import GeneralizedCrossEntropyLoss, SymmetricCrossEntropyLoss
from .sample_loss import SampleLoss
from .targets import correct_labels, soft_cross_entropy
from .uniform import divergence_from_uniform

__all__ = [
    'ForwardCorrectionLoss',
    'GeneralizedCrossEntropyLoss',
    'SampleLoss',
    'SymmetricCrossEntropyLoss',
    'correct_labels',
    'divergence_from_uniform',
    'entropy_regularization',
    'info_nce',
    'momentum_contrast',
    'soft_cross_entropy',
]
