# SPDX-License-Identifier: Apache-2.0
"""Random transforms of whole batches, on whatever device the images are."""

from .base import BatchTransform
from .color import BatchColorJitter, BatchRandomGrayscale, BatchRandomSolarize
from .geometry import BatchRandomCrop, BatchRandomFlip, BatchRandomResizedCrop

__all__ = [
    'BatchColorJitter',
    'BatchRandomCrop',
    'BatchRandomFlip',
    'BatchRandomGrayscale',
    'BatchRandomResizedCrop',
    'BatchRandomSolarize',
    'BatchTransform',
]
