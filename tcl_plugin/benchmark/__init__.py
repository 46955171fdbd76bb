# SPDX-License-Identifier: Apache-2.0
"""How fast a config trains, and where the time goes."""

from .generated import GeneratedImages, use_generated_data
from .measure import Measurement, Timed, build_timed, measure_ceiling
from .plain import plain_config
from .report import as_text

__all__ = [
    'GeneratedImages',
    'Measurement',
    'Timed',
    'as_text',
    'build_timed',
    'measure_ceiling',
    'plain_config',
    'use_generated_data',
]
