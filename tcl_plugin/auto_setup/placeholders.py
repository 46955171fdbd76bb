# SPDX-License-Identifier: Apache-2.0
"""Values that a config leaves open, written ``'auto:NAME'`` wherever the value of that name is to stand."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmengine.config import Config

PREFIX = 'auto:'

Path = tuple[str | int, ...]


def is_open(value: Any) -> bool:
    """Tell whether a value of a config is left open.

    Args:
        value (Any): The value.

    Returns:
        bool: True for ``'auto:NAME'``.
    """
    return isinstance(value, str) and value.startswith(PREFIX)


def open_values(cfg: Config) -> dict[str, list[Path]]:
    """Find what a config leaves open.

    Args:
        cfg (Config): The config.

    Returns:
        dict[str, list[Path]]: Keys that lead to each place where a name stands, such as
        ``{'lr': [('optim_wrapper', 'optimizer', 'lr')]}``.
    """
    found: dict[str, list[Path]] = {}
    for path, value in _leaves({key: cfg[key] for key in cfg}):
        if is_open(value):
            found.setdefault(value.removeprefix(PREFIX), []).append(path)
    return found


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Everything that is no container, with the keys that lead to it."""
    if isinstance(value, Mapping):
        items: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        yield path, value
        return
    for key, inner in items:
        yield from _leaves(inner, (*path, key))


def fill(cfg: Config, values: Mapping[str, Any]) -> None:
    """Put values in the place of their names.

    Args:
        cfg (Config): The config, changed in place.
        values (Mapping[str, Any]): Values by name.

    Raises:
        ValueError: If the config has a name that there is no value of.
    """
    for name, paths in open_values(cfg).items():
        if name not in values:
            raise ValueError(
                f'{dotted(paths[0])}={PREFIX}{name} in the config: there is no such name; known are '
                f'{", ".join(sorted(values))}'
            )
    for key in list(cfg):
        cfg[key] = _filled(cfg[key], values)


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if is_open(value):
        return values[value.removeprefix(PREFIX)]
    if isinstance(value, dict):
        for key in list(value):
            value[key] = _filled(value[key], values)
    elif isinstance(value, list):
        value[:] = [_filled(inner, values) for inner in value]
    elif isinstance(value, tuple):
        return tuple(_filled(inner, values) for inner in value)
    return value


def look_up(cfg: Config, path: Path) -> Any:
    """Find a value by the keys that lead to it.

    Args:
        cfg (Config): The config.
        path (Path): The keys.

    Returns:
        Any: The value; None where there is none.
    """
    value: Any = cfg
    for key in path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def dotted(path: Path) -> str:
    """Write keys as ``--cfg-options`` has them, such as ``param_scheduler.0.end``."""
    return '.'.join(map(str, path))
