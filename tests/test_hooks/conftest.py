# SPDX-License-Identifier: Apache-2.0
"""What all tests of this room need."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope='module', autouse=True)
def on_cpu() -> Iterator[None]:
    """Train on the CPU on every machine: runs are compared to the last digit, and with processes that have no GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.device.utils.DEVICE', 'cpu')
        yield
