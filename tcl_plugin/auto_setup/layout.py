# SPDX-License-Identifier: Apache-2.0
"""What a folder of images is meant to be: which folders are classes, and which are parts of the data set."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..datasets.image_lists import IMAGE_SUFFIXES, contents, some

#: What OpenCV reads besides, and mmpretrain's CustomDataset takes.
SUFFIXES = (*IMAGE_SUFFIXES, '.pgm', '.tif', '.tiff')

#: Folders that systems and programs leave, thumbnails in them too, and pictures of earlier trainings. Names that begin
#: with a dot are passed over anyway.
STRAY_FOLDERS = frozenset({'work_dirs', '__MACOSX', '@eaDir', '#recycle', '$RECYCLE.BIN', 'System Volume Information'})

#: What people call the parts of a data set, in lower case.
PART_NAMES = dict(train=('train', 'training'), val=('val', 'valid', 'validation'), test=('test', 'testing'))
_SET = re.compile(r'[ _-]?(set|data|images)$')

#: Classes by name: images of each, as paths below the root with ``/``, sorted.
Classes = dict[str, list[str]]


@dataclass
class Files:
    """Files below a folder.

    Attributes:
        images (list[str]): Those with the suffix of an image, as paths below the folder with ``/``, sorted.
        others (list[str]): All others that are not hidden, likewise.
        empty (list[str]): Folders without any image in them or below, next to the root or next to a folder
            there, likewise.
    """

    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)


def list_files(root: Path) -> Files:
    """List the files below a folder, in an order that no file system has a say in.

    Hidden files and folders and :data:`STRAY_FOLDERS` are passed over; links to folders are followed.
    mmpretrain's ``CustomDataset`` would count hidden and empty folders as classes.

    Args:
        root (Path): The folder.

    Returns:
        Files: The files.

    Raises:
        OSError: If a folder cannot be read.
    """
    files, folders = Files(), []
    # A link to a folder that it lies in itself would be followed for ever.
    above: dict[str, frozenset[str]] = {}
    for folder, below, names in os.walk(root, followlinks=True, onerror=_refuse):
        chain = above.get(os.path.dirname(folder), frozenset()) | {os.path.realpath(folder)}
        above[folder] = chain
        below[:] = [
            name for name in below if not is_stray(name) and os.path.realpath(os.path.join(folder, name)) not in chain
        ]
        relative = Path(folder).relative_to(root)
        if 1 <= len(relative.parts) <= 2:
            folders.append(relative.as_posix())
        for name in names:
            if not name.startswith('.'):
                kind = files.images if name.lower().endswith(SUFFIXES) else files.others
                kind.append((relative / name).as_posix())
    files.images.sort()
    files.others.sort()
    filled = {'/'.join(path.split('/')[:depth]) for path in files.images for depth in (1, 2)}
    files.empty = sorted(folder for folder in folders if folder not in filled)
    return files


def _refuse(error: OSError) -> None:
    # os.walk would pass over a folder that may not be read.
    raise error


def is_stray(name: str) -> bool:
    """Tell whether a system or a program has left something, which a person does not mean.

    Args:
        name (str): Name of a file or folder.

    Returns:
        bool: True for hidden ones, and for :data:`STRAY_FOLDERS`.
    """
    return name.startswith('.') or name in STRAY_FOLDERS


@dataclass
class Layout:
    """A data set of labelled images.

    Attributes:
        parts (dict[str, Classes]): ``'train'``, and ``'val'`` and ``'test'`` where there are such folders. Without
            folders for parts all images are in ``'train'``.
        notes (list[str]): What a person would want to know.
        folders (dict[str, str]): Folder of each part below the root; empty where there are no folders for parts.
        broken (list[str]): Classes of the training part of which no image can be read.
        kept_back (bool): Whether ``'val'`` was split off from ``'train'``.
    """

    parts: dict[str, Classes]
    notes: list[str] = field(default_factory=list)
    folders: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    kept_back: bool = False


def find_layout(images: Sequence[str], told: str | None = None) -> Layout:
    """Find out what the folders are.

    ``<class>/...`` unless there is a folder called train whose images lie in folders of their own, beside which all
    others are parts, too: then ``train/<class>/...``. Deeper folders belong to the one above.
    Folders called as two parts or more of a data set are no classes, unless a person says so; nor is one beside
    classes that has folders called as those in it.

    Args:
        images (Sequence[str]): Paths below the root, with ``/``.
        told (str, optional): ``'classes'`` or ``'parts'`` where a person has said what the folders are.
            Defaults to None.

    Returns:
        Layout: The data set.

    Raises:
        ValueError: If it cannot be told whether train is a part or a class, two folders are the same part, or there
            are parts but no folder train.
    """
    top = sorted({path.split('/')[0] for path in images if '/' in path})
    parts = {} if told == 'classes' else _parts(top)
    if told == 'parts' and 'train' not in parts:
        raise ValueError(f"auto_setup.layout='parts' needs a folder train; found {', '.join(top) or 'none'}")
    if 'train' not in parts or (told is None and not _has_classes(images, parts['train'])):
        if 'train' in parts and len(parts) > 1:
            raise ValueError(
                f'{some(list(parts.values()))} are parts of a data set by their names, but the images in '
                f'{parts["train"]} lie in no folders of classes: give each class a folder there, or put paths and '
                'labels into tables (configs/tcl_r50_csv.py); auto_setup.layout=classes says that they are classes'
            )
        layout = _classes_below(images, '')
        alone = [] if 'train' in parts else list(parts.values())
        _refuse_parts_alone(images, top, alone)
        if told is None and _parts_by_other_names(images, top):
            layout.notes.append(
                f'are {some(top)} classes? They have folders of the same names in them: if those are the classes, '
                'call the outer ones train, val and test'
            )
        elif alone:
            layout.notes.append(f'{alone[0]} is taken for a class, as there is no folder train')
        return layout
    others = [name for name in top if name not in parts.values()]
    sure = [name for part, name in parts.items() if name.lower() in PART_NAMES[part]]
    if told is None and others and len(sure) < 2:
        raise ValueError(
            f'{parts["train"]} has folders in it, and beside it there is {some(others)}: say by --cfg-options '
            'auto_setup.layout=parts that only images in it are trained on, or by auto_setup.layout=classes that all '
            'are classes'
        )
    layout = Layout({}, folders=parts)
    for part, name in parts.items():
        inner = _classes_below([path for path in images if path.startswith(f'{name}/')], f'{name}/')
        layout.notes += inner.notes
        if inner.parts['train']:
            layout.parts[part] = inner.parts['train']
    if others:
        layout.notes.append(f'beside {", ".join(parts.values())}, these folders are not used: {some(others)}')
    return layout


def without_unreadable(by_class: Classes, unreadable: Mapping[str, str], where: object, root: Path) -> Classes:
    """Leave out images that cannot be read, but not all of a part.

    Args:
        by_class (Classes): Images of the part.
        unreadable (Mapping[str, str]): What is wrong, by image.
        where (object): What the part is called, for the message.
        root (Path): What paths are relative to.

    Returns:
        Classes: Those that can be read; a class of which none can is not among them.

    Raises:
        ValueError: If none of them can be read: a disk that is not there, and the like.
    """
    left = {name: [path for path in paths if path not in unreadable] for name, paths in by_class.items()}
    if by_class and not any(left.values()):
        first = next(path for paths in by_class.values() for path in paths)
        raise ValueError(f'{where}: none of its images can be read; the first is {root / first}: {unreadable[first]}')
    return {name: paths for name, paths in left.items() if paths}


def _parts(top: list[str]) -> dict[str, str]:
    """Folders by the part that their name says."""
    parts: dict[str, str] = {}
    for part, known in PART_NAMES.items():
        found = [name for name in top if name.lower() in known]
        found = found or [name for name in top if _SET.sub('', name.lower()) in known]
        if len(found) > 1:
            raise ValueError(f'{" and ".join(found)} are names of the same part of a data set: keep one of them')
        if found:
            parts[part] = found[0]
    return parts


def _has_classes(images: Sequence[str], folder: str) -> bool:
    return any(path.startswith(f'{folder}/') and path.count('/') > 1 for path in images)


def _classes_below(images: Sequence[str], prefix: str) -> Layout:
    """Classes are the folders right below a prefix; images beside them have no class."""
    classes: Classes = {}
    loose = []
    for path in sorted(images):
        name, slash, _ = path.removeprefix(prefix).partition('/')
        if slash:
            classes.setdefault(name, []).append(path)
        else:
            loose.append(path)
    layout = Layout({'train': dict(sorted(classes.items()))})
    if loose:
        layout.notes.append(f'left out, as no folder says which class they are: {some(loose)}')
    return layout


def settle_classes(layout: Layout, wanted: Sequence[str] | None, root: Path) -> list[str]:
    """Settle which classes there are, and leave out images of others.

    Args:
        layout (Layout): The data set, changed in place.
        wanted (Sequence[str], optional): Classes in the order that a person has named. Defaults to None, for the
            folders of the training part, sorted.
        root (Path): The folder, for messages.

    Returns:
        list[str]: The classes.

    Raises:
        ValueError: If there are fewer than two, or validation has one that training has not and nobody has chosen
            among them, or a part to test has one of a name like another.
    """
    train = layout.parts.get('train', {})
    classes = list(train) if wanted is None else [str(name) for name in wanted]
    missing = [name for name in classes if name not in train]
    if missing:
        raise ValueError(f'classes={classes}: there are no training images of {some(missing)} in {root}')
    if len(set(classes)) < max(2, len(classes)):
        if wanted is not None:
            raise ValueError(f'classes={classes}: two or more are needed, each of them once')
        raise ValueError(_too_few_classes(train, layout.broken, root))
    for part, found in layout.parts.items():
        unknown = [name for name in found if name not in train]
        alike = {_folded(name) for name in unknown} & {_folded(name) for name in train}
        # Images to test often lie in a folder that says nothing.
        if alike or (unknown and wanted is None and part != 'test'):
            raise ValueError(f'{part} has images of {some(unknown)} in {root}, and train has none: are names alike?')
        if unknown:
            layout.notes.append(f'left out of {part}, as train has none: images of {some(unknown)}')
        layout.parts[part] = {name: found[name] for name in classes if name in found}
        layout.notes += [f'no images of {some(lacking)} in {part}'] if (lacking := set(classes) - set(found)) else []
    layout.parts = {part: found for part, found in layout.parts.items() if found}
    counts = Counter(map(_folded, classes))
    same = [name for name in classes if counts[_folded(name)] > 1]
    if same:
        layout.notes.append(f'are these the same? {some(same)}')
    return classes


def _folded(name: str) -> str:
    """A name as people see it: some systems write letters with accents as two characters."""
    return unicodedata.normalize('NFC', name).casefold()


def _refuse_parts_alone(images: Sequence[str], top: list[str], parts: list[str]) -> None:
    """Refuse parts without one to train on, unless there is but one, which may be a class by its looks."""
    beside = {_folded(name) for name in top if name not in parts}
    inner = {path.split('/')[1] for path in images if path.split('/')[0] in parts and path.count('/') > 1}
    alike = {name for name in inner if _folded(name) in beside}
    if alike or len(parts) > 1:
        what = f'{some(parts)} {"are parts" if len(parts) > 1 else "is a part"} of a data set by name'
        what += f', with folders called as the classes ({some(alike)})' if alike else ''
        raise ValueError(
            f'{what}, but there is no folder train: move what is to be trained on into one (train/CLASS/...), or '
            'rename the part or move it elsewhere; --cfg-options auto_setup.layout=classes says that all are classes'
        )


def _parts_by_other_names(images: Sequence[str], top: list[str]) -> bool:
    """Whether all folders have folders of the same names in them, as parts of a data set have."""
    inner: dict[str, set[str]] = {name: set() for name in top}
    for outer, *rest in (path.split('/') for path in images):
        if len(rest) > 1:
            inner[outer].add(rest[0])
    below = set(map(frozenset, inner.values()))
    return len(top) > 1 and len(below) == 1 and len(below.pop()) > 1


def _too_few_classes(train: Classes, broken: Sequence[str], root: Path) -> str:
    needed = f'data_root={root}: two or more folders with images are needed, one for each class'
    if not train:
        return f'{needed}; found {contents(root)}, and no images in folders (known are {", ".join(SUFFIXES)})'
    (name, images), *_ = train.items()
    deeper = any(path.count('/') > images[0].split('/').index(name) + 1 for path in images)
    inside = f'; if the folders in it are the classes, name that one: data_root={root / name}' if deeper else ''
    rest = f'; no image of {some(broken)} can be read' if broken else inside
    return f'{needed}; found only {name}{rest}'
