# SPDX-License-Identifier: Apache-2.0
"""Noisy labels and the datasets that mmpretrain lacks; importing registers them all."""

from .fashion_mnist import FashionMNISTRGB
from .label_files import read_label_file
from .noise import AsymmetricNoise, AsymmetricPerClassNoise, LabelNoise, SymmetricExclusiveNoise, SymmetricNoise
from .noise_instance import InstanceDependentNoise
from .noise_matrix import PairFlipNoise, TransitionMatrixNoise
from .noisy_label_dataset import NoisyLabelDataset
from .open_set import OpenSetNoise
from .sklearn_digits import SklearnDigits

__all__ = [
    'AsymmetricNoise',
    'AsymmetricPerClassNoise',
    'FashionMNISTRGB',
    'InstanceDependentNoise',
    'LabelNoise',
    'NoisyLabelDataset',
    'OpenSetNoise',
    'PairFlipNoise',
    'SklearnDigits',
    'SymmetricExclusiveNoise',
    'SymmetricNoise',
    'TransitionMatrixNoise',
    'read_label_file',
]
