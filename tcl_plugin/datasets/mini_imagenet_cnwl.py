# SPDX-License-Identifier: Apache-2.0
"""Mini-ImageNet with controlled noise from the web: red, or blue."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from mmpretrain.registry import DATASETS

from .image_lists import ListedDataset, choose_layout, contents, labelled_lines

NUM_CLASSES = 100

# Where images may lie below the root. Those under one key differ in size from those under another.
_TRAIN = {'full': ('all_images/{name}',), '32': ('training_s32/{name}',)}
_VAL = {
    'full': ('validation/{label}/{name}', 'all_validation/{name}'),
    '32': ('validation_s32/{label}/{name}', 'validation_s32/{name}'),
}


@DATASETS.register_module()
class MiniImageNetCNWL(ListedDataset):
    """Mini-ImageNet of the Controlled Noisy Web Labels (L. Jiang et al., https://arxiv.org/abs/1911.09781).

    100 classes. A chosen share of the training images is replaced: by images that the web returned
    for the class (*red* noise), or by images of other classes (*blue* noise). ::

        data_root                                     or data_root/mini-imagenet
        ├── split
        │   ├── red_noise_nl_0.4, blue_noise_nl_0.4   lines `xxx.jpg 0`; rates 0.0, 0.2, 0.4, 0.6, 0.8
        │   └── clean_validation
        ├── all_images/xxx.jpg                        or training_s32/, of 32 x 32 pixels
        └── validation/0/xxx.jpg                      or all_validation/xxx.jpg, or validation_s32/

    Args:
        data_root (str): The folder.
        split (str): ``'train'`` or ``'val'``. Defaults to ``'train'``.
        colour (str): ``'red'`` or ``'blue'``. Defaults to ``'red'``.
        rate (float): Share of the training images that is noise, as in the list's name. Defaults to 0.4.
        size (str, optional): ``'full'`` or ``'32'``, which images to take. Defaults to None, those
            that are there.
        **kwargs: Other arguments of :class:`ListedDataset` and mmpretrain's ``BaseDataset``.

    Each item has ``img_path`` and ``gt_label`` (int).

    Raises:
        FileNotFoundError: The folder, a list, or the first images are missing.
        ValueError: An argument is unknown, a line of a list cannot be read, or images of both sizes are
            there and ``size`` does not choose.
    """

    SPLITS: ClassVar[tuple[str, ...]] = ('train', 'val')

    def __init__(
        self,
        data_root: str,
        split: str = 'train',
        colour: str = 'red',
        rate: float = 0.4,
        size: str | None = None,
        **kwargs: Any,
    ) -> None:
        if colour not in ('red', 'blue'):
            raise ValueError(f"MiniImageNetCNWL: colour must be 'red' or 'blue', got {colour!r}")
        if size not in (None, 'full', '32'):
            raise ValueError(f"MiniImageNetCNWL: size must be None, 'full' or '32', got {size!r}")
        self.list_name = f'{colour}_noise_nl_{float(rate)}' if split == 'train' else 'clean_validation'
        self.size = size
        super().__init__(data_root, split, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Load paths and labels of the split."""
        self._set_classes([str(label) for label in range(NUM_CLASSES)])
        root = self.root / 'mini-imagenet' if (self.root / 'mini-imagenet').is_dir() else self.root
        path = root / 'split' / self.list_name
        if not path.is_file():
            found = contents(path.parent) if path.parent.is_dir() else f'no folder split, but {contents(root)},'
            raise FileNotFoundError(f'MiniImageNetCNWL: expected {path}; found {found} there')
        entries = labelled_lines(path, NUM_CLASSES)
        place = choose_layout(self._layouts(root), entries, f'MiniImageNetCNWL ({self.split})')
        return self._inside([{'img_path': place(entry), 'gt_label': entry[1]} for entry in entries])

    def _layouts(self, root: Path) -> list[Callable]:
        """The ways in which images of the size that is wanted, or there, may be laid out."""
        known = _TRAIN if self.split == 'train' else _VAL
        folders = {size: [pattern.split('/')[0] for pattern in patterns] for size, patterns in known.items()}
        there = [size for size in known if any((root / folder).is_dir() for folder in folders[size])]
        if self.size is None and len(there) == 2:
            raise ValueError(
                f"MiniImageNetCNWL: {root} has images of both sizes ({contents(root)}): set size='full' or size='32'"
            )
        sizes = [self.size] if self.size else list(known)
        return [partial(_fill, str(root), pattern) for size in sizes for pattern in known[size]]


def _fill(root: str, pattern: str, entry: tuple[str, int]) -> str:
    return os.path.join(root, pattern.format(name=entry[0], label=entry[1]))
