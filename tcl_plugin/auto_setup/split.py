# SPDX-License-Identifier: Apache-2.0
"""Which images are kept back for validation, and the lists that say so."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..evaluation import write_columns
from ..moved_lists import KEPT_BACK
from ..reports.audit.label_lists import label_numbers, list_path
from .layout import Classes

#: A class of fewer images is trained on as a whole.
FEWEST_TO_SPLIT = 5


def split_off(classes: Classes, share: float, seed: int, gone: int = 0) -> tuple[Classes, Classes]:
    """Keep back a share of each class for validation.

    An image goes where the hash of its path and the seed sends it, so that the split is the same in whatever order
    images are listed, and an image that is added later moves few others.

    Args:
        classes (Classes): Images by class.
        share (float): Share to keep back, in (0, 1), rounded for each class; at least one image of a class that
            has :data:`FEWEST_TO_SPLIT`, and never all, also where images stand in several classes.
        seed (int): Seed.
        gone (int): Images that were there when they were split before, and may have been of any class: as many are
            kept back of each class as if they were there. Defaults to 0.

    Returns:
        tuple[Classes, Classes]: Images to train on, and those kept back.
    """
    val: Classes = {}
    for name, images in classes.items():
        # A table may have an image in many rows.
        distinct, count = sorted(set(images), key=lambda path: _draw(path, seed)), 0
        size = len(distinct) + gone
        if distinct and size >= FEWEST_TO_SPLIT:
            count = min(max(1, round(share * size)), len(distinct) - 1)
        if count:
            val[name] = sorted(distinct[:count])
    # Nor is an image trained on that is kept back under another label.
    kept = {path for images in val.values() for path in images}
    for images in classes.values():
        if images and kept.issuperset(images):
            kept.remove(min(images, key=lambda path: _draw(path, seed)))
    val = {name: [path for path in images if path in kept] for name, images in val.items()}
    train = {name: [path for path in images if path not in kept] for name, images in classes.items()}
    return train, {name: images for name, images in val.items() if images}


def _draw(path: str, seed: int) -> bytes:
    return hashlib.sha256(f'{seed}/{path}'.encode()).digest()


def write_list(
    folder: Path, name: str, images: Classes, classes: Sequence[str], kept_back: bool | None = None
) -> Path:
    """Write a list for :class:`CSVDataset`: ``img_path,gt_label,gt_class``, as the audit's are.

    Its name holds a hash of what is in it, so that the list of an earlier run is never overwritten by another.

    Args:
        folder (Path): Folder for the list; made where it is missing.
        name (str): First part of its name, such as ``'train'``.
        images (Classes): Images by class, paths below the root.
        classes (Sequence[str]): All classes, in the order of their labels.
        kept_back (bool, optional): Of images to validate on, whether they are kept back from training; a column says
            so, for the audit. Defaults to None, no column.

    Returns:
        Path: The list, absolute.
    """
    rows = [(path, label) for label, of in enumerate(classes) for path in images.get(of, [])]
    return write_rows(folder, name, rows, classes, kept_back)


def write_rows(
    folder: Path, name: str, rows: Iterable[tuple[str, int]], classes: Sequence[str], kept_back: bool | None = None
) -> Path:
    """Write a list as :func:`write_list` does, in the order of the rows.

    Args:
        folder (Path): Folder for the list; made where it is missing.
        name (str): First part of its name.
        rows (Iterable[tuple[str, int]]): Path, and label as a place among the classes.
        classes (Sequence[str]): All classes, in the order of their labels.
        kept_back (bool, optional): As of :func:`write_list`. Defaults to None.

    Returns:
        Path: The list, absolute.
    """
    written = [(list_path(path), label, classes[label]) for path, label in rows]
    numbers = label_numbers(classes)
    mark = {} if kept_back is None else {KEPT_BACK: [str(kept_back)] * len(written)}
    # Not of a list that has none kept back: earlier releases, which did not say so, gave it the same name.
    digest = hashlib.sha256(repr([*written, *(mark if kept_back else {})]).encode()).hexdigest()[:8]
    folder.mkdir(parents=True, exist_ok=True)
    path = (folder / f'{name}_{digest}.csv').resolve()
    columns = dict(
        img_path=[path for path, _, _ in written],
        gt_label=[numbers[label] for _, label, _ in written],
        gt_class=[of for _, _, of in written],
    )
    write_columns(path, columns | mark)
    return path
