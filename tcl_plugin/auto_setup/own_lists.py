# SPDX-License-Identifier: Apache-2.0
"""Lists of a person's own, such as corrected labels, in the place of those that the set-up makes."""

import os
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from ..datasets.csv_dataset import CSVDataset
from .layout import Classes, Layout, some
from .own_values import LIST_HOMES
from .placeholders import is_open, look_up


@dataclass
class OwnList:
    """A list that the config names.

    Attributes:
        table (str): What the config calls it.
        images (list[str]): Image of each row, absolute.
        labels (list[int]): Label of each row, a place among the classes.
    """

    table: str
    images: list[str]
    labels: list[int]

    def by_class(self, classes: list[str], root: Path) -> Classes:
        """Images of each class that has any, in the order of the list, as paths from the root."""
        found: Classes = {}
        for path, label in zip(self.images, self.labels, strict=True):
            found.setdefault(classes[label], []).append(Path(os.path.relpath(path, root)).as_posix())
        return {name: found[name] for name in classes if name in found}


def read_own_lists(cfg: Config, named: dict, root: Path, classes: list[str]) -> dict[str, OwnList]:
    """Read the lists of a person's own.

    Args:
        cfg (Config): The config.
        named (dict): What a person has chosen, see :func:`own_values`.
        root (Path): The folder that paths start from, unless the data set names another.
        classes (list[str]): The classes.

    Returns:
        dict[str, OwnList]: Those that there are, by part: ``'train'``, ``'val'`` and ``'test'``.

    Raises:
        FileNotFoundError: If one does not exist.
        ValueError: If one cannot be read, or has a label that is none of the classes.
    """
    return {
        name.removesuffix('_list'): _read(look_up(cfg, tuple(key.split('.')[:-1])), root, classes)
        for name, key in LIST_HOMES.items()
        if name in named
    }


def _read(config: dict, root: Path, classes: list[str]) -> OwnList:
    folder = root if is_open(config.get('data_root') or root) else config['data_root']
    # Paths that lead out of the folder are told of when the data set is built.
    table = CSVDataset(config['ann_file'], data_root=str(folder), classes=classes, check_files=0, allow_outside=True)
    infos = [table.get_data_info(i) for i in range(len(table))]
    images = [os.path.abspath(info['img_path']) for info in infos]
    return OwnList(config['ann_file'], images, [info['gt_label'] for info in infos])


def hold_out(layout: Layout, own: dict[str, OwnList], classes: list[str], root: Path) -> list[str]:
    """Let lists of a person's own be the parts to validate and to test, and train on none of their images.

    Args:
        layout (Layout): The data set, changed in place.
        own (dict[str, OwnList]): Lists of a person's own, by part.
        classes (list[str]): The classes.
        root (Path): The folder that the layout's paths start from.

    Returns:
        list[str]: Lines for the log.

    Raises:
        ValueError: If no image of a class would be left to train on.
    """
    notes = []
    for part, what in [('val', 'validation is'), ('test', 'a test later on is')]:
        if part not in own:
            continue
        listed = own[part]
        layout.parts[part] = listed.by_class(classes, root)
        notes.append(f'{what} on the {len(listed.images):,} images that {listed.table} lists, with its labels')
        # What the folder has is not trained on where a list says what is.
        both = _also_trained_on(own['train'], listed) if 'train' in own else _take_out(layout, listed, root)
        if both and 'train' not in own:
            notes.append(f'not trained on, as they stand in {listed.table}: {len(both):,} images ({some(both)})')
        elif both and part == 'test':
            notes.append(f'both {own["train"].table} and {listed.table} list {len(both):,} images ({some(both)})')
    return notes


def _also_trained_on(trained: OwnList, listed: OwnList) -> list[str]:
    return sorted(set(trained.images) & set(listed.images))


def _take_out(layout: Layout, listed: OwnList, root: Path) -> list[str]:
    """Take images of a list out of the training part, and name them."""
    train = layout.parts['train']
    layout.parts['train'], both = without_listed(train, listed, root)
    gone = [name for name, images in train.items() if images and not layout.parts['train'][name]]
    if gone:
        raise ValueError(
            f'{listed.table} lists all images of {some(gone)}, so that there is none to train on: take some of them '
            'out of it, or give more images'
        )
    return both


def without_listed(by_class: Classes, listed: OwnList, root: Path) -> tuple[Classes, list[str]]:
    """Part images from those that a list names.

    Args:
        by_class (Classes): Images by class, paths from the root.
        listed (OwnList): The list.
        root (Path): The folder that paths start from.

    Returns:
        tuple[Classes, list[str]]: Images that the list does not name, with every class; and those that it names.
    """
    named = set(listed.images)
    both = {
        path for images in by_class.values() for path in images if os.path.abspath(os.path.join(root, path)) in named
    }
    left = {name: [path for path in images if path not in both] for name, images in by_class.items()}
    return left, [path for path in dict.fromkeys(p for images in by_class.values() for p in images) if path in both]
