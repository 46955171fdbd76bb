# SPDX-License-Identifier: Apache-2.0
"""The cases of docs/errors.md: each does one thing wrong, and returns what it is told."""

from . import (  # noqa: F401
    checkpoints,
    configs,
    datasets,
    images,
    labels,
    launchers,
    noise,
    packages,
    records,
    setups,
    tools,
)
from .desk import CASES, Desk

__all__ = ['CASES', 'Desk']
