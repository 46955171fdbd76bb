# SPDX-License-Identifier: Apache-2.0
"""Noisy labels and the datasets that mmpretrain lacks; importing registers them all."""

from .animal10n import Animal10N
from .cifar100_coarse import CIFAR100Coarse
from .clothing1m import Clothing1M
from .csv_dataset import CSVDataset
from .fashion_mnist import FashionMNISTRGB
from .food101n import Food101N
from .label_files import read_label_file
from .mini_imagenet_cnwl import MiniImageNetCNWL
from .noise import AsymmetricNoise, AsymmetricPerClassNoise, LabelNoise, SymmetricExclusiveNoise, SymmetricNoise
from .noise_instance import InstanceDependentNoise
from .noise_margin import MarginDiminishingNoise
from .noise_matrix import PairFlipNoise, TransitionMatrixNoise
from .noisy_label_dataset import NoisyLabelDataset
from .open_set import OpenSetNoise
from .samplers import ClassBalancedSubsetSampler
from .sklearn_digits import SklearnDigits
from .webvision import ILSVRC12, WebVision

__all__ = [
    'ILSVRC12',
    'Animal10N',
    'AsymmetricNoise',
    'AsymmetricPerClassNoise',
    'CIFAR100Coarse',
    'CSVDataset',
    'ClassBalancedSubsetSampler',
    'Clothing1M',
    'FashionMNISTRGB',
    'Food101N',
    'InstanceDependentNoise',
    'LabelNoise',
    'MarginDiminishingNoise',
    'MiniImageNetCNWL',
    'NoisyLabelDataset',
    'OpenSetNoise',
    'PairFlipNoise',
    'SklearnDigits',
    'SymmetricExclusiveNoise',
    'SymmetricNoise',
    'TransitionMatrixNoise',
    'WebVision',
    'read_label_file',
]
