# SPDX-License-Identifier: Apache-2.0
"""The cases of docs/combinations.md: each trains something together with something else."""

from . import datasets, loops, processes, training  # noqa: F401
from .shop import CASES, Shop

__all__ = ['CASES', 'Shop']
