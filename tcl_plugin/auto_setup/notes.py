# SPDX-License-Identifier: Apache-2.0
"""Lines for the log."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mmengine.config import Config

from ..datasets.image_lists import some
from .layout import Classes, Files, Layout
from .own_values import HOMES, LIST_HOMES
from .placeholders import look_up

WRONG_TOO = (
    'labels of validation images may be wrong, too: accuracy is the share of them that the network agrees with, and '
    'a right answer to a wrong label counts as a mistake'
)


def describe(parts: Mapping[str, Classes], classes: list[str], root: Path) -> str:
    """One line on what there is.

    Args:
        parts (Mapping[str, Classes]): Images by part and class.
        classes (list[str]): The classes.
        root (Path): The folder.

    Returns:
        str: The line.
    """
    texts = []
    for part, images in parts.items():
        counts = {name: len(images.get(name, [])) for name in classes}
        texts.append(f'{sum(counts.values()):,} images ({some([f"{name} {n:,}" for name, n in counts.items()], 10)})')
        if len(parts) > 1:
            texts[-1] = f'{part} {texts[-1]}'
    return f'{root}: {len(classes)} classes, {"; ".join(texts)}'


def summarise(cfg: Config, values: Mapping[str, Any]) -> str:
    """One line on what was chosen, as ``--cfg-options`` has it.

    Args:
        cfg (Config): The config.
        values (Mapping[str, Any]): Values by name.

    Returns:
        str: The line.
    """
    keys = {name: key for name, key in HOMES.items() if name not in ('data_root', 'classes', *LIST_HOMES)}
    options = [
        f'{key}={values[name]:g}' for name, key in keys.items() if look_up(cfg, tuple(key.split('.'))) is not None
    ]
    return f'{" ".join(options)}; any other value of these in --cfg-options is kept'


def describe_others(files: Files, layout: Layout) -> list[str]:
    """Lines on what was passed over.

    Args:
        files (Files): What is in the folder.
        layout (Layout): What it was taken for.

    Returns:
        list[str]: The lines.
    """
    notes = []
    if files.others:
        kinds = Counter(PurePosixPath(path).suffix.lower() or 'without suffix' for path in files.others)
        told = some([f'{kind} {count:,}' for kind, count in kinds.most_common()])
        notes.append(f'passed over, as their names are not those of images: {len(files.others):,} files ({told})')
    depth = 1 if layout.folders else 0
    empty = [folder for folder in files.empty if folder.count('/') == depth]
    if empty:
        notes.append(f'no class, as there is no image in it: {some(empty)}')
    return notes
