# SPDX-License-Identifier: Apache-2.0
"""Which parts of a training draw random numbers, and so get its seed."""

import inspect
from typing import Any

from mmengine.config import Config
from mmengine.utils import import_modules_from_strings
from mmpretrain.registry import TASK_UTILS

DATASET = 'train_dataloader.dataset'


def seed_options(cfg: Config, seed: int) -> list[str]:
    """Write down a seed for all that a training draws.

    Args:
        cfg (Config): Its config, with the overrides in it.
        seed (int): The seed.

    Returns:
        list[str]: Overrides of the config.
    """
    dataset = cfg.train_dataloader.dataset
    keys = [f'{part}.seed' for part in ('noise', 'open_set') if _takes_seed(dataset.get(part), cfg)]
    if dataset.get('held_out'):
        keys.append('held_out_seed')
    return [f'randomness.seed={seed}', *(f'{DATASET}.{key}={seed}' for key in keys)]


def _takes_seed(part: Any, cfg: Config) -> bool:
    """Whether a part of the data set is there, and is one that draws: a generator of one's own may not."""
    if not isinstance(part, dict) or not part:
        return False
    generator = _class_of(part.get('type'), cfg)
    if generator is None or 'seed' in part:  # whatever is wrong with its type, the training says it
        return True
    parameters = inspect.signature(generator).parameters.values()
    return any(parameter.name == 'seed' or parameter.kind == parameter.VAR_KEYWORD for parameter in parameters)


def _class_of(kind: Any, cfg: Config) -> Any:
    """A registered class, for which the modules of the config are imported only where nobody knows it yet."""
    if not isinstance(kind, str):
        return kind
    known = TASK_UTILS.get(kind)
    if known is None and cfg.get('custom_imports'):
        try:
            import_modules_from_strings(**cfg.custom_imports)
        except ImportError:
            return None
        known = TASK_UTILS.get(kind)
    return known
