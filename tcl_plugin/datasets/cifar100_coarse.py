# SPDX-License-Identifier: Apache-2.0
"""CIFAR-100 with its superclasses as classes."""

from mmpretrain.datasets import CIFAR100
from mmpretrain.registry import DATASETS

from .mappings import CIFAR100_SUPERCLASSES

SUPERCLASS_OF = {fine: place for place, members in enumerate(CIFAR100_SUPERCLASSES) for fine in members}


@DATASETS.register_module()
class CIFAR100Coarse(CIFAR100):
    """CIFAR-100 whose classes are its 20 superclasses, numbered as in the data set's ``coarse_labels``.

    CIFAR-100N has labels by people for them, too (``noisy_coarse_label``).

    Args:
        data_root (str): Folder of the archive, the same as of mmpretrain's ``CIFAR100``.
        split (str): ``'train'`` or ``'test'``. Defaults to ``'train'``.
        **kwargs: Other arguments of mmpretrain's ``CIFAR100``.

    Each item has ``img`` (uint8, shape (32, 32, 3), RGB) and ``gt_label`` (int, 0 to 19).
    """

    METAINFO = dict(
        classes=(
            'aquatic_mammals',
            'fish',
            'flowers',
            'food_containers',
            'fruit_and_vegetables',
            'household_electrical_devices',
            'household_furniture',
            'insects',
            'large_carnivores',
            'large_man-made_outdoor_things',
            'large_natural_outdoor_scenes',
            'large_omnivores_and_herbivores',
            'medium_mammals',
            'non-insect_invertebrates',
            'people',
            'reptiles',
            'small_mammals',
            'trees',
            'vehicles_1',
            'vehicles_2',
        )
    )

    def load_data_list(self) -> list[dict]:
        """Load images, and the superclass of each."""
        return [{**info, 'gt_label': SUPERCLASS_OF[info['gt_label']]} for info in super().load_data_list()]
