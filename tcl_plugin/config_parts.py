# SPDX-License-Identifier: Apache-2.0
"""The parts of a config, wherever they stand."""

from collections.abc import Iterator
from typing import Any


def dicts_in(value: Any, path: tuple = ()) -> Iterator[tuple[tuple, dict]]:
    """Find all dicts in a config, each before those in it.

    Args:
        value (Any): The config, or a part of it.
        path (tuple): Keys that lead to it. Defaults to none.

    Yields:
        tuple[tuple, dict]: The keys that lead to a dict, and the dict.
    """
    if isinstance(value, dict):
        yield path, value
        items: Any = value.items()
    else:
        items = enumerate(value) if isinstance(value, (list, tuple)) else ()
    for key, inner in items:
        yield from dicts_in(inner, (*path, key))
