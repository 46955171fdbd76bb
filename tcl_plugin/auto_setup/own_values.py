# SPDX-License-Identifier: Apache-2.0
"""What a person has chosen in a config, or by ``--cfg-options``."""

import os
from typing import Any

from mmengine.config import Config

from .placeholders import is_open, look_up

#: Where a person names a list of their own, by the name of the list that would otherwise be made.
LIST_HOMES = dict(
    train_list='train_dataloader.dataset.dataset.ann_file',
    val_list='val_dataloader.dataset.ann_file',
    test_list='test_dataloader.dataset.ann_file',
)
#: Where a person chooses a value themselves, by its name; whatever else depends on it follows.
HOMES = dict(
    data_root='data_root',
    classes='classes',
    image_size='image_size',
    batch_size='train_dataloader.batch_size',
    num_workers='train_dataloader.num_workers',
    max_epochs='train_cfg.max_epochs',
    warmup_epochs='model.head.warmup_epochs',
    lr='optim_wrapper.optimizer.lr',
    **LIST_HOMES,
)
#: What a person may choose, and a test of it; COUNT for all others.
EXPECTED = dict(
    data_root=('the path of a folder', lambda value: isinstance(value, str) and value != ''),
    classes=('a list of names, such as "[cat,dog]"', lambda value: isinstance(value, (list, tuple))),
    num_workers=('a whole number, 0 or more', lambda value: isinstance(value, int) and value >= 0),
    warmup_epochs=('a whole number, 0 or more', lambda value: isinstance(value, int) and value >= 0),
    lr=('a number above 0', lambda value: isinstance(value, (int, float)) and value > 0),
    **dict.fromkeys(LIST_HOMES, ('the path of a table', lambda value: isinstance(value, str))),
)
COUNT = ('a whole number, 1 or more', lambda value: isinstance(value, int) and value >= 1)


def own_values(cfg: Config) -> dict[str, Any]:
    """Read what a person has chosen.

    Args:
        cfg (Config): The config.

    Returns:
        dict[str, Any]: Values by name, only those that are not open.

    Raises:
        ValueError: If one of them makes no sense.
    """
    found = {name: look_up(cfg, tuple(key.split('.'))) for name, key in HOMES.items()}
    found = {name: value for name, value in found.items() if value is not None and not is_open(value)}
    for name in LIST_HOMES.keys() & found.keys():
        if not found[name] or not _is_table(cfg, LIST_HOMES[name]):
            del found[name]
    for name, value in found.items():
        wanted, fits = EXPECTED.get(name, COUNT)
        if not fits(value):
            raise ValueError(f'{HOMES[name]}={value} must be {wanted}')
    if 'data_root' in found:
        found['data_root'] = os.path.abspath(os.path.expanduser(found['data_root']))
    if 'classes' in found:
        found['classes'] = [str(name) for name in found['classes']]
    return found


def _is_table(cfg: Config, key: str) -> bool:
    """Whether what a key names is read by the data set that lists are made for."""
    return look_up(cfg, (*key.split('.')[:-1], 'type')) == 'CSVDataset'
