# SPDX-License-Identifier: Apache-2.0
"""Images out of a random generator, in place of a data set that one need not have to measure speed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.config import Config, ConfigDict
from mmpretrain.datasets import BaseDataset
from mmpretrain.registry import DATASETS

from ..datasets.leaves import leaf_configs
from ..errors import UserError


@dataclass
class Shape:
    """What speed depends on in a data set.

    Attributes:
        size (int): Side of the images in pixels.
        train (int): Number of training images.
        test (int): Number of test images.
    """

    size: int
    train: int
    test: int


SHAPES = {
    'CIFAR10': Shape(32, 50000, 10000),
    'CIFAR100': Shape(32, 50000, 10000),
    'FashionMNISTRGB': Shape(28, 60000, 10000),
    'SklearnDigits': Shape(8, 1437, 360),
}


@DATASETS.register_module()
class GeneratedImages(BaseDataset):
    """Noise, uint8, three channels.

    Args:
        size (int): Side of the images in pixels.
        length (int): Number of images.
        num_classes (int): Number of classes K; labels go round.
        **kwargs: Arguments of mmpretrain's ``BaseDataset``.
    """

    def __init__(self, size: int, length: int, num_classes: int, **kwargs: Any) -> None:
        self.size = size
        self.length = length
        classes = tuple(str(k) for k in range(num_classes))
        super().__init__(ann_file='', metainfo=dict(classes=classes), **kwargs)

    def load_data_list(self) -> list[dict]:
        """Make the images."""
        images = np.random.default_rng(0).integers(256, size=(self.length, self.size, self.size, 3), dtype=np.uint8)
        return [dict(img=image, gt_label=i % len(self.CLASSES)) for i, image in enumerate(images)]


def shape_of(cfg: Config) -> Shape:
    """Shape of the data set that a config trains on.

    Args:
        cfg (Config): The config.

    Returns:
        Shape: The shape.

    Raises:
        UserError: If the data set is none of :data:`SHAPES`, or has several parts.
    """
    dataset, *others = leaf_configs(cfg.train_dataloader.dataset)
    if others or dataset.type not in SHAPES:
        kinds = ', '.join(leaf.type for leaf in (dataset, *others))
        raise UserError(
            f'the images of {kinds} are of unknown size and number: name --image-size, --num-train and --num-test '
            f'(known are {", ".join(SHAPES)})'
        )
    shape = SHAPES[dataset.type]
    indices = dataset.get('indices')
    return Shape(shape.size, indices, shape.test) if isinstance(indices, int) else shape


def use_generated_data(cfg: Config, size: int, num_train: int, num_test: int) -> None:
    """Put generated images in place of a config's data sets; pipelines and label noise stay.

    Args:
        cfg (Config): The config, changed in place.
        size (int): Side of the images in pixels.
        num_train (int): Number of training images.
        num_test (int): Number of test images.
    """
    for name, length in (('train', num_train), ('val', num_test)):
        if cfg.get(f'{name}_dataloader') is None:
            continue
        outer = cfg[f'{name}_dataloader'].dataset
        outer.pop('label_file', None)
        num_classes = cfg.model.head.num_classes
        for dataset in (outer, (outer.get('open_set') or {}).get('dataset')):
            if dataset is not None:
                _replace(dataset, length, size=size, num_classes=num_classes)


def _replace(dataset: ConfigDict, length: int, **shape: int) -> None:
    """Put as many generated images into each part, which together are ``length``."""
    parts = list(leaf_configs(dataset))
    for i, part in enumerate(parts):
        pipeline = [transform for transform in part.get('pipeline', []) if transform['type'] != 'LoadImageFromFile']
        part.clear()
        share = length // len(parts) + (i < length % len(parts))
        part.update(type='GeneratedImages', pipeline=pipeline, length=share, **shape)
