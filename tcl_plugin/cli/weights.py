# SPDX-License-Identifier: Apache-2.0
"""Weights that a network starts from, looked at before they are needed."""

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from torch import nn

from ..errors import explained
from ..explain import explain_checkpoint, explain_weights

# How long a server that does not answer is waited for, where a data set has to be downloaded.
DOWNLOAD_SECONDS = 20

#: Shapes of weights by name, for each place in the config that names some, such as ``'model.backbone'``.
Shapes = dict[str, dict[str, torch.Size]]


def fetch_weights(cfg: Config) -> Shapes:
    """Load once the weights that a network starts from, which mmengine does in the middle of ``train()``.

    What is downloaded lies in torch's cache afterwards.

    Args:
        cfg (Config): The config.

    Returns:
        Shapes: What has been loaded.

    Raises:
        UserError: If there are none. It says by which option others, or none, are named.
    """
    found: Shapes = {}
    with impatience():
        _fetch_weights(cfg.model, 'model', found)
    return found


def _fetch_weights(part: dict, key: str, found: Shapes) -> None:
    """Do so for a part of the model; ``key`` is where it stands in the config."""
    inits = part.get('init_cfg')
    for init in inits if isinstance(inits, (list, tuple)) else [inits]:
        if isinstance(init, dict) and str(init.get('type')) == 'Pretrained' and init.get('checkpoint'):
            with explained(explain_weights(f'{key}.init_cfg'), explain_checkpoint):
                loaded = CheckpointLoader.load_checkpoint(init['checkpoint'], map_location='cpu', logger='silent')
                found[key] = _shapes(loaded, init)
    for name, inner in part.items():
        if isinstance(inner, dict):
            _fetch_weights(inner, f'{key}.{name}', found)


def _shapes(loaded: Any, init: dict) -> dict[str, torch.Size]:
    weights = loaded.get('state_dict', loaded) if isinstance(loaded, dict) else loaded
    if not isinstance(weights, dict):
        raise ValueError(f'checkpoint {init["checkpoint"]} holds no weights by name')
    shapes = {name: value.shape for name, value in weights.items() if isinstance(value, torch.Tensor)}
    prefix = init.get('prefix')
    if not prefix:  # as mmengine does
        return {name.removeprefix('module.'): shape for name, shape in shapes.items()}
    prefix = prefix if prefix.endswith('.') else f'{prefix}.'
    if not any(name.startswith(prefix) for name in shapes):
        raise ValueError(f'checkpoint {init["checkpoint"]} has no weights whose names begin with prefix={prefix!r}')
    return {name.removeprefix(prefix): shape for name, shape in shapes.items() if name.startswith(prefix)}


def misfits(model: nn.Module, found: Shapes) -> list[str]:
    """Tell of weights that are those of another network, which mmengine would load as far as names and shapes agree.

    Args:
        model (nn.Module): The model, unwrapped.
        found (Shapes): See :func:`fetch_weights`.

    Returns:
        list[str]: A line for each part of the model of which they fill less than half of the parameters.
    """
    lines = []
    parts = {f'model.{name}'.rstrip('.'): part for name, part in model.named_modules()}
    for key, shapes in found.items():
        part = parts.get(key)
        if part is None:  # a part of another name than its config's
            continue
        sizes = {name: parameter.numel() for name, parameter in part.named_parameters()}
        filled = {name for name, parameter in part.named_parameters() if shapes.get(name) == parameter.shape}
        share = sum(sizes[name] for name in filled) / max(1, sum(sizes.values()))
        if share < 0.5:
            lines.append(
                f'{key}.init_cfg fills only {share:.0%} of the parameters of {key}, and the others start from random '
                'numbers: are the weights those of another network?'
            )
    return lines


@contextlib.contextmanager
def impatience() -> Iterator[None]:
    """Give up on a server that does not answer: by default Python waits as long as the system does, or for ever.

    Yields:
        None: Nothing.
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
