# SPDX-License-Identifier: Apache-2.0
"""Which labels are right: maths over tensors, without runner, model or dataset."""

from .gmm import fit_clean_probability
from .knn import KNNDetector
from .mixture import class_means, class_variances, posterior
from .ood import OODDetector
from .small_loss import SmallLossDetector

__all__ = [
    'KNNDetector',
    'OODDetector',
    'SmallLossDetector',
    'class_means',
    'class_variances',
    'fit_clean_probability',
    'posterior',
]
