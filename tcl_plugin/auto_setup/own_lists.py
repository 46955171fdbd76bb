# SPDX-License-Identifier: Apache-2.0
"""Lists of a person's own, such as corrected labels, in the place of those that the set-up makes."""

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..datasets.csv_dataset import CSVDataset
from ..datasets.image_lists import leaves, some
from ..moved_lists import LISTS, REMADE
from .images import find_unreadable
from .layout import Classes, Layout
from .own_values import LIST_HOMES
from .placeholders import is_open, look_up
from .split import write_rows


@dataclass
class OwnList:
    """A list that the config names.

    Attributes:
        table (str): What the config calls it.
        images (list[str]): Image of each row, absolute.
        labels (list[int]): Label of each row, a place among the classes.
        folder (str): What paths in it start from, absolute.
        file (str): Where it is.
        left_out (dict[str, str]): What is wrong with images that it names and that are left out, by path.
    """

    table: str
    images: list[str]
    labels: list[int]
    folder: str
    file: str
    left_out: dict[str, str] = field(default_factory=dict)

    @cached_property
    def places(self) -> list[str]:
        """Where each image is, see :func:`places_of`."""
        return places_of(self.images)

    def written(self, lists: Path, part: str, classes: list[str]) -> str:
        """Its path for the config: where images are left out, that of a list of the others, in the same order."""
        if not self.left_out:
            return self.table
        paths = (Path(os.path.relpath(path, self.folder)).as_posix() for path in self.images)
        return str(write_rows(lists, remade_name(part, self.file), zip(paths, self.labels, strict=True), classes))

    def by_class(self, classes: list[str], root: Path) -> Classes:
        """Images of each class that has any, in the order of the list, as paths from the root."""
        found: Classes = {}
        for path, label in zip(self.images, self.labels, strict=True):
            found.setdefault(classes[label], []).append(Path(os.path.relpath(path, root)).as_posix())
        return {name: found[name] for name in classes if name in found}


def places_of(paths: Iterable[str]) -> list[str]:
    """Say where files are, so that those of a folder are the same by whatever path it is reached.

    Each folder is asked about once. Single files are not, which takes long on other machines' disks: links to them are
    files of their own.

    Args:
        paths (Iterable[str]): Paths of files.

    Returns:
        list[str]: A place for each, to be compared alone.
    """
    folders: dict[str, str] = {}
    found = []
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(os.path.abspath(folder))
        found.append(os.path.normcase(os.path.join(folders[folder], name)))
    return found


def remade_name(part: str, table: str) -> str:
    """First part of the name of a list that is written in the place of a person's own.

    Args:
        part (str): ``'train'``, ``'val'`` or ``'test'``.
        table (str): Path of the person's own list.

    Returns:
        str: The name, with a hash of what is in that list.

    Raises:
        FileNotFoundError: If there is no such list.
    """
    return f'{REMADE}{part}_{hashlib.sha256(Path(table).read_bytes()).hexdigest()[:8]}'


def read_own_lists(cfg: Config, named: Mapping[str, Any], root: Path, classes: list[str]) -> dict[str, OwnList]:
    """Read the lists of a person's own.

    Args:
        cfg (Config): The config.
        named (Mapping[str, Any]): What a person has chosen, see :func:`own_values`.
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
    start = root if is_open(config.get('data_root') or root) else config['data_root']
    # Paths that lead out of the folder are told of when the data set is built.
    table = CSVDataset(
        config['ann_file'],
        data_root=str(start),
        data_prefix=config.get('data_prefix', ''),
        classes=classes,
        check_files=0,
        allow_outside=True,
    )
    infos = [table.get_data_info(i) for i in range(len(table))]
    images = [os.path.abspath(info['img_path']) for info in infos]
    folder = os.path.abspath(table.img_prefix or '.')
    return OwnList(config['ann_file'], images, [info['gt_label'] for info in infos], folder, table.ann_file)


def without_lost(
    part: str, listed: OwnList, readable: set[str], decode: bool, classes: list[str]
) -> tuple[OwnList, list[str]]:
    """Leave out images that have been deleted since the list was written, or cannot be read.

    Args:
        part (str): ``'train'``, ``'val'`` or ``'test'``.
        listed (OwnList): The list.
        readable (set[str]): Places of images that have been looked at, see :func:`places_of`.
        decode (bool): Whether to read the others, and not only to look whether they are there.
        classes (list[str]): The classes.

    Returns:
        tuple[OwnList, list[str]]: The list without them, and lines for the log.

    Raises:
        ValueError: If none of them can be read: the paths start from another folder, and the like.
    """
    unknown = sorted({path for path, place in zip(listed.images, listed.places, strict=True) if place not in readable})
    wrong = {path: 'there is no such file' for path in unknown if not os.path.isfile(path)}
    there = [path for path in unknown if path not in wrong]
    wrong |= find_unreadable(Path(listed.folder), there, decode) if there else {}
    if not wrong:
        return listed, []
    kept = [(path, label) for path, label in zip(listed.images, listed.labels, strict=True) if path not in wrong]
    if not kept:
        first, key = listed.images[0], LIST_HOMES[f'{part}_list'].replace('ann_file', 'data_root')
        raise ValueError(
            f'{listed.table}: none of its images can be read; the first is {first}: {wrong[first]}. If paths in it '
            f"start from another folder, name that one: {key}=FOLDER, for an audit's list data_root of its "
            'summary.json'
        )
    names = [os.path.relpath(path, listed.folder) for path in wrong]
    notes = [
        f'left out of {listed.table}, as they are gone or cannot be read: {len(wrong):,} images ({some(names)}); '
        f'{LISTS} in the work directory has a list of the other {len(kept):,}'
    ]
    gone = sorted(set(listed.labels) - {label for _, label in kept})
    if gone:
        notes.append(f'no image of {some([classes[label] for label in gone])} in {listed.table} can be read')
    images, labels = map(list, zip(*kept, strict=True))
    return replace(listed, images=images, labels=labels, left_out=wrong), notes


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
    notes, trained = [], own.get('train')
    for part, what in [('val', 'validation is'), ('test', 'a test later on is')]:
        if part not in own:
            continue
        listed = own[part]
        layout.parts[part] = listed.by_class(classes, root)
        notes.append(f'{what} on the {len(listed.images):,} images that {listed.table} lists, with its labels')
        if trained is None:
            both = _take_out(layout, listed, root)
            if both:
                notes.append(f'not trained on, as they stand in {listed.table}: {len(both):,} images ({some(both)})')
            continue
        # What the folder has is not trained on where a list says what is; nor is it kept back where another has it.
        layout.parts['train'], _ = without_listed(layout.parts['train'], listed, root)
        tested = set(listed.places)
        both = sorted({path for path, place in zip(trained.images, trained.places, strict=True) if place in tested})
        if both and part == 'test':
            notes.append(f'both {trained.table} and {listed.table} list {len(both):,} images ({some(both)})')
    return notes


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
    named, paths = set(listed.places), dict.fromkeys(path for images in by_class.values() for path in images)
    places = places_of(os.path.join(root, path) for path in paths)
    both = {path: None for path, place in zip(paths, places, strict=True) if place in named}
    left = {name: [path for path in images if path not in both] for name, images in by_class.items()}
    return left, list(both)


def refuse_overlap(own: OwnList, val: Classes, root: Path) -> None:
    """Refuse a list to train on with images that are to validate.

    Args:
        own (OwnList): The list.
        val (Classes): Images that are to validate, by class.
        root (Path): The folder that their paths start from.

    Raises:
        ValueError: If there are any.
    """
    _, both = without_listed(val, own, root)
    if both:
        raise ValueError(
            f'{own.table} lists {len(both):,} of the images that are to validate ({some(both)}), which would be '
            'trained on, too: take them out of it, or train by --no-validate'
        )


def refuse_list_of_all(own: OwnList, val: Classes, root: Path) -> None:
    """Refuse a list to train on that nothing was kept back from, where images are to be kept back.

    A few of them need not be in it all the same: rows are deleted, and images added.

    Args:
        own (OwnList): The list.
        val (Classes): Images that would be kept back, by class.
        root (Path): The folder that their paths start from.

    Raises:
        ValueError: If it has most of them.
    """
    left, both = without_listed(val, own, root)
    if len(both) > sum(map(len, left.values())):
        size = len({path for images in val.values() for path in images})
        raise ValueError(
            f'{own.table} lists {len(both):,} of the {size:,} images that would be kept back to validate '
            f'({some(both)}), as after a training without validation: train by --no-validate, too, or name others by '
            f'{LIST_HOMES["val_list"]}=FILE'
        )


def describe_outside(layout: Layout, own: dict[str, OwnList], root: Path) -> list[str]:
    """Say what is in the way of a test on images outside the folder.

    Args:
        layout (Layout): The data set.
        own (dict[str, OwnList]): Lists of a person's own, by part.
        root (Path): The folder.

    Returns:
        list[str]: A line for the log, if a list to test is made of a person's own that has such images.
    """
    tested = next(part for part in ('test', 'val', 'train') if part in layout.parts)
    if tested == 'test' or tested not in own or not any(leaves(path, str(root)) for path in own[tested].images):
        return []
    return [
        f'{own[tested].table} lists images outside data_root={root}: a test later on needs '
        '--cfg-options test_dataloader.dataset.allow_outside=True'
    ]
