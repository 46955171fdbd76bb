# SPDX-License-Identifier: Apache-2.0
"""What all tests of this room need."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mmengine.registry import DefaultScope

# data_builders is found from wherever pytest is started.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


@pytest.fixture(autouse=True)
def default_scope() -> Iterator[None]:
    """Build as under a config: mmengine's own wrappers look their parts up in this scope."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield
