# SPDX-License-Identifier: Apache-2.0
"""The same recipe without anything that makes it fast."""

from collections.abc import Callable
from typing import Any

from mmengine.config import Config
from mmpretrain.registry import BATCH_AUGMENTS

from ..datasets.leaves import leaf_configs
from ..errors import UserError
from ..models.batch_transforms import (
    BatchColorJitter,
    BatchRandomCrop,
    BatchRandomFlip,
    BatchRandomGrayscale,
    BatchRandomResizedCrop,
    BatchRandomSolarize,
)


def plain_config(cfg: Config) -> Config:
    """Undo whatever a config does for speed.

    What remains is the published way: float32, views cut one at a time from PIL images by CPU
    workers, an ordinary data loader, losses read at each step, and the weak views in the network,
    too. The recipe is the same.

    Args:
        cfg (Config): The config.

    Returns:
        Config: A copy of it, changed.

    Raises:
        UserError: If views are cut by a transform of batches that has no counterpart in :data:`SINGLES`.
    """
    cfg = Config(cfg.to_dict())
    _plain_model(cfg)
    _plain_views(cfg)
    for name in ('resident_data', 'runtime_info'):
        cfg.default_hooks.pop(name, None)
    cfg.optim_wrapper.optimizer.pop('fused', None)
    return cfg


def _plain_model(cfg: Config) -> None:
    for name in ('bfloat16', 'compile'):
        cfg.model.pop(name, None)
    if cfg.model.type == 'TCL':
        cfg.model.forward_weak = True


def _plain_views(cfg: Config) -> None:
    preprocessor = cfg.data_preprocessor
    preprocessor.pop('channels_last', None)
    preprocessor.pop('seed', None)
    views = preprocessor.pop('views', None)
    if views is None:
        return
    preprocessor.type = 'MultiViewDataPreprocessor'
    to_rgb = preprocessor.get('to_rgb', False)
    kinds = [_one_by_one(view['transforms'], to_rgb) for view in views]
    numbers = [view.get('num_views', 1) for view in views]
    if sum(numbers) == 1:
        cut = kinds[0]
    else:
        cut = [dict(type='MultiView', num_views=numbers, transforms=kinds)]
    for leaf in leaf_configs(cfg.train_dataloader.dataset):
        *before, pack = leaf.pipeline
        leaf.pipeline = [*before, *cut, pack]


def _one_by_one(transforms: list[dict], to_rgb: bool) -> list[dict]:
    # The transforms take red to come first; the preprocessor turns the channels round after them.
    singles = [_single(BATCH_AUGMENTS.build(config)) for config in transforms]
    return [dict(type='NumpyToPIL', to_rgb=to_rgb), *singles, dict(type='PILToNumpy', to_bgr=to_rgb)]


def _single(transform: Any) -> dict:
    """The transform that does the same to a single PIL image, in a pipeline of mmpretrain."""
    if type(transform) not in SINGLES:
        raise UserError(
            f'nothing is known to do to one image what {type(transform).__name__} does to a batch: only '
            f'{", ".join(kind.__name__ for kind in SINGLES)} have a counterpart'
        )
    return SINGLES[type(transform)](transform)


def _jitter(transform: BatchColorJitter) -> dict:
    names = ('brightness', 'contrast', 'saturation', 'hue')
    jitter = dict(type='torchvision/ColorJitter', **dict(zip(names, transform.strength.values(), strict=True)))
    return dict(type='RandomApply', prob=transform.prob, transforms=[jitter])


# By exact class: one derived from these does something else.
SINGLES: dict[type, Callable[[Any], dict]] = {
    BatchColorJitter: _jitter,
    BatchRandomCrop: lambda own: dict(type='torchvision/RandomCrop', size=own.size, padding=own.padding),
    BatchRandomFlip: lambda own: dict(type='torchvision/RandomHorizontalFlip', p=own.prob),
    BatchRandomGrayscale: lambda own: dict(type='torchvision/RandomGrayscale', p=own.prob),
    BatchRandomResizedCrop: lambda own: dict(
        type='torchvision/RandomResizedCrop', size=own.size, scale=own.scale, ratio=own.ratio
    ),
    BatchRandomSolarize: lambda own: dict(type='torchvision/RandomSolarize', threshold=own.threshold, p=own.prob),
}
