# SPDX-License-Identifier: Apache-2.0
"""What data sets that come as folders of images, with or without lists of them, have in common."""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mmpretrain.datasets import BaseDataset

IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.ppm', '.bmp', '.webp')

#: So many of the first images are looked for: enough to tell a wrong folder from a few missing files.
PROBED = 10

_WNID = re.compile(r'n\d{8}')


class ListedDataset(BaseDataset):
    """A data set with a root folder and named parts.

    Only local folders are read. An image that is missing is noticed when it is loaded; whether the
    images are where the layout says, is found out from the first few of them. A list that leads out of the
    folder, by ``..`` or an absolute path, is refused; links are followed.

    Args:
        data_root (str): The folder of the data set.
        split (str): One of :attr:`SPLITS`.
        allow_outside (bool): Whether what a list names may lie outside the folder. Defaults to False.
        **kwargs: Other arguments of mmpretrain's ``BaseDataset``.

    Raises:
        ValueError: ``split`` is unknown; or, on reading, an image lies outside the folder.
    """

    SPLITS: ClassVar[tuple[str, ...]] = ()

    def __init__(self, data_root: str, split: str, allow_outside: bool = False, **kwargs: Any) -> None:
        self.allow_outside = allow_outside
        if split not in self.SPLITS:
            raise ValueError(f'{type(self).__name__}: split must be one of {list(self.SPLITS)}, got {split!r}')
        self.split = split
        super().__init__(ann_file='', data_root=os.path.expanduser(data_root), **kwargs)

    @property
    def root(self) -> Path:
        """Path: The folder of the data set.

        Raises:
            FileNotFoundError: There is no such folder.
        """
        return require_folder(Path(self.data_root), f'{type(self).__name__}: data_root')

    def extra_repr(self) -> list[str]:
        """The extra repr information of the dataset."""
        return [f'Root: \t{self.data_root}', f'Split: \t{self.split}']

    def _set_classes(self, names: Sequence[str]) -> None:
        """Name the classes, unless the arguments have done so."""
        given = self._metainfo.get('classes')
        if given is None:
            self._metainfo['classes'] = tuple(names)
        elif len(given) != len(names):
            raise ValueError(f'{type(self).__name__} has {len(names)} classes, but classes names {len(given)}')

    def _inside(self, items: list[dict]) -> list[dict]:
        """Refuse images outside the folder, unless they are allowed; return the items."""
        for item in [] if self.allow_outside else items:
            if leaves(item['img_path'], self.data_root):
                raise ValueError(
                    f'{type(self).__name__}: {item["img_path"]} leaves the folder of the data set, {self.data_root}: '
                    'set allow_outside=True if its lists are to be trusted'
                )
        return items


def leaves(path: str, folder: str) -> bool:
    """Tell whether a path leads out of a folder, by ``..`` or because it is absolute. Links are not looked at.

    Args:
        path (str): The path.
        folder (str): The folder.

    Returns:
        bool: Whether it does; the folder itself counts as outside.
    """
    return not os.path.abspath(path).startswith(os.path.join(os.path.abspath(folder), ''))


def require_folder(path: Path, what: str) -> Path:
    """Return a folder's path, or say that it is missing.

    Args:
        path (Path): The folder.
        what (str): What it is; the error begins with it.

    Returns:
        Path: ``path``.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not path.is_dir():
        raise FileNotFoundError(f'{what} {path} does not exist or is not a folder')
    return path


def contents(folder: Path) -> str:
    """Name what is in a folder, the first eight, for errors.

    Args:
        folder (Path): The folder.

    Returns:
        str: Such as ``'images, meta'``.
    """
    return some(sorted(os.listdir(folder)), most=8) or 'nothing'


def some(names: Sequence[str] | set[str], most: int = 5) -> str:
    """Name the first few, and say how many more there are.

    Args:
        names (Sequence[str] | set[str]): The names; of a set, the first in order.
        most (int): How many to name. Defaults to 5.

    Returns:
        str: Such as ``'a, b, c, d, e and 7 more'``.
    """
    names = sorted(names) if isinstance(names, set) else list(names)
    # What is not UTF-8 in a name of a file cannot be written into a log.
    names = [name.encode(errors='replace').decode() for name in names]
    return ', '.join(names[:most]) + (f' and {len(names) - most:,} more' if len(names) > most else '')


def find_file(root: Path, candidates: Sequence[str], what: str) -> Path:
    """Find a file that may lie in several places.

    Args:
        root (Path): The folder of the data set.
        candidates (Sequence[str]): Paths under it, the likeliest first.
        what (str): What is looked for; the error begins with it.

    Returns:
        Path: The first that is there.

    Raises:
        FileNotFoundError: None is.
    """
    for candidate in candidates:
        if (root / candidate).is_file():
            return root / candidate
    expected = ' or '.join(str(root / candidate) for candidate in candidates)
    raise FileNotFoundError(f'{what}: expected {expected}; found {contents(root)} in {root}')


def read_lines(path: Path) -> list[tuple[int, str]]:
    """Read a list: its lines that are not blank, each with its number from 1.

    Args:
        path (Path): The list.

    Returns:
        list[tuple[int, str]]: Numbers and lines.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It has no lines, or is no text.
    """
    if not path.is_file():
        raise FileNotFoundError(f'list {path} does not exist or is not a file')
    try:
        text = path.read_text(encoding='utf-8-sig')
    except UnicodeDecodeError as error:
        raise ValueError(f'list {path} is no text in UTF-8: {error}') from error
    lines = [(number, line.strip()) for number, line in enumerate(text.split('\n'), 1)]
    lines = [(number, line) for number, line in lines if line]
    if not lines:
        raise ValueError(f'list {path} is empty')
    return lines


def labelled_lines(path: Path, num_classes: int) -> list[tuple[str, int]]:
    """Read a list of lines ``path label``.

    Args:
        path (Path): The list.
        num_classes (int): Number of classes K.

    Returns:
        list[tuple[str, int]]: Paths and labels.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line has no label, or one outside 0..K-1. The error names the line.
    """
    entries = []
    for number, line in read_lines(path):
        name, _, label = line.rpartition(' ')
        if not name:
            raise ValueError(f'list {path}: line {number} has no label after the path: {line!r}')
        entries.append((name.strip(), to_label(label, num_classes, f'list {path}: line {number}')))
    return entries


def to_label(text: str, num_classes: int, where: str) -> int:
    """Read a label.

    Args:
        text (str): Its digits.
        num_classes (int): Number of classes K.
        where (str): Where it comes from; the error begins with it.

    Returns:
        int: The label.

    Raises:
        ValueError: It is no whole number, or lies outside 0..K-1.
    """
    try:
        label = int(text)
    except ValueError:
        raise ValueError(f'{where}: label {text!r} is no whole number') from None
    if not 0 <= label < num_classes:
        raise ValueError(f'{where}: label {label} is outside 0..{num_classes - 1}')
    return label


def choose_layout(layouts: Sequence[Callable[[Any], str]], entries: Sequence[Any], what: str) -> Callable[[Any], str]:
    """Find out in which way of laying them out the images are there.

    Args:
        layouts (Sequence[Callable]): Each gives the path of an entry's image; the likeliest first.
        entries (Sequence): Entries of a list, one or more. Only the first :data:`PROBED` are looked for.
        what (str): What is looked for; the error begins with it.

    Returns:
        Callable: The first layout in which one of those images is there.

    Raises:
        FileNotFoundError: There is none in any.
    """
    probed = entries[:PROBED]
    for layout in layouts:
        if any(os.path.isfile(layout(entry)) for entry in probed):
            return layout
    expected = ' or '.join(dict.fromkeys(layout(probed[0]) for layout in layouts))
    raise FileNotFoundError(
        f'{what}: none of the first {len(probed)} images is there; expected the first of them at {expected}'
    )


def image_names(folder: Path) -> list[str]:
    """Names of the images in a folder, sorted, so that they have one order on every machine.

    Args:
        folder (Path): The folder. What lies deeper is not looked at, nor are hidden files, which some systems
            leave beside images under names that end alike.

    Returns:
        list[str]: The names.

    Raises:
        FileNotFoundError: There are none.
    """
    found = (name for name in os.listdir(folder) if not name.startswith('.'))
    names = sorted(name for name in found if name.lower().endswith(IMAGE_SUFFIXES))
    if not names:
        raise FileNotFoundError(f'no images in {folder}; found {contents(folder)}')
    return names


def read_synsets(path: Path, num_classes: int) -> list[tuple[str, str]]:
    """Read the first classes of WebVision's ``synsets.txt``, lines ``n01440764 tench, Tinca tinca``.

    Args:
        path (Path): The file.
        num_classes (int): Number of classes K.

    Returns:
        list[tuple[str, str]]: WordNet identifiers and names (the identifier again where there is no
        name) of all classes in the file, K or more.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line begins otherwise, an identifier comes twice, or there are fewer than K.
    """
    synsets = []
    for number, line in read_lines(path):
        wnid, _, name = line.partition(' ')
        if not _WNID.fullmatch(wnid):
            raise ValueError(f'{path}: line {number} does not begin with an identifier such as n01440764: {line!r}')
        synsets.append((wnid, name.strip() or wnid))
    if len({wnid for wnid, _ in synsets}) < len(synsets):
        raise ValueError(f'{path}: an identifier comes twice')
    if len(synsets) < num_classes:
        raise ValueError(f'{path}: has {len(synsets)} classes, fewer than num_classes={num_classes}')
    return synsets


def wnids_among(names: Iterable[str]) -> list[str]:
    """The names that are WordNet identifiers, such as ``n01440764``."""
    return [name for name in names if _WNID.fullmatch(name)]
