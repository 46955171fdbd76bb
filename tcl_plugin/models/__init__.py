# SPDX-License-Identifier: Apache-2.0
"""Networks and losses; importing registers them all."""

from .algorithms import TCL, FastImageClassifier, MCorrection, MixupClassifier, TCLMoCo, TCLPlus
from .backbones import PreActResNet
from .batch_transforms import (
    BatchColorJitter,
    BatchRandomCrop,
    BatchRandomFlip,
    BatchRandomGrayscale,
    BatchRandomResizedCrop,
    BatchRandomSolarize,
    BatchTransform,
)
from .data_preprocessors import BatchViewDataPreprocessor, MultiViewDataPreprocessor
from .heads import ELRHead, MCorrectionHead, PENCILHead, TCLEnsembleHead, TCLHead
from .losses import ForwardCorrectionLoss, GeneralizedCrossEntropyLoss, SymmetricCrossEntropyLoss
from .necks import TokenPooling

__all__ = [
    'TCL',
    'BatchColorJitter',
    'BatchRandomCrop',
    'BatchRandomFlip',
    'BatchRandomGrayscale',
    'BatchRandomResizedCrop',
    'BatchRandomSolarize',
    'BatchTransform',
    'BatchViewDataPreprocessor',
    'ELRHead',
    'FastImageClassifier',
    'ForwardCorrectionLoss',
    'GeneralizedCrossEntropyLoss',
    'MCorrection',
    'MCorrectionHead',
    'MixupClassifier',
    'MultiViewDataPreprocessor',
    'PENCILHead',
    'PreActResNet',
    'SymmetricCrossEntropyLoss',
    'TCLEnsembleHead',
    'TCLHead',
    'TCLMoCo',
    'TCLPlus',
    'TokenPooling',
]
