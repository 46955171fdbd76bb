# SPDX-License-Identifier: Apache-2.0
"""What a training has written into its work directory, found again where that has moved: lists of images above all."""

import csv
import os
import re
from pathlib import Path, PureWindowsPath
from typing import Any

#: Folder of the lists in a work directory.
LISTS = 'lists'
#: Column that only the list to validate on has: whether the set-up has kept these images back from training.
KEPT_BACK = 'kept_back'
#: Names of the lists begin so that the set-up writes in the place of a person's own.
REMADE = 'own_'
# Names that the set-up gives to them; a person's own lists are left where they are said to be.
_NAME = re.compile(rf'({REMADE})?(train|val|test)(_[0-9a-f]{{8}})+\.csv')


def path_from_anywhere(path: str) -> Path:
    """Read a path that may have been written on Windows, whose separator means nothing elsewhere.

    Args:
        path (str): The path.

    Returns:
        Path: The path as it is, if there is something; otherwise with the separators that all systems know.
    """
    return Path(path if os.path.exists(path) else PureWindowsPath(path).as_posix())


def is_made_list(path: str) -> bool:
    """Tell a list that the set-up of a training has made from a person's own.

    Args:
        path (str): The list.

    Returns:
        bool: Whether it lies and is called as the set-up's do.
    """
    listed = path_from_anywhere(path)
    return listed.parent.name == LISTS and _NAME.fullmatch(listed.name) is not None


def is_remade_list(path: str) -> bool:
    """Tell whether a list of the set-up is a person's own without images that are gone.

    Args:
        path (str): The list.

    Returns:
        bool: Whether it is; its name has a digest of the person's list, and one of its own behind.
    """
    return is_made_list(path) and path_from_anywhere(path).name.startswith(REMADE)


def found_list(path: str, work_dir: str | Path) -> str:
    """Find a list of an earlier run, which may have moved along with the work directory.

    Args:
        path (str): Where it was.
        work_dir (str | Path): The work directory.

    Returns:
        str: Where it is, absolute, if it is in the work directory alone; otherwise the path as it was. A list of that
        name is the same list, as the name holds a hash of it.
    """
    was = path_from_anywhere(path)
    moved = Path(work_dir) / LISTS / was.name
    # With a root, it is absolute on the system that it is from.
    written = PureWindowsPath(path).root and is_made_list(path)
    return str(moved.resolve()) if written and not was.is_file() and moved.is_file() else path


def count_kept_back(path: str) -> int | None:
    """Count the images that the set-up of a training has kept back for validation.

    Args:
        path (str): The list that is validated on.

    Returns:
        int, optional: Their number; 0 of a list that a person has brought, as it is or as a folder. None where nobody
        knows, as the list is gone or damaged, or an earlier release wrote it, which had no column for it.
    """
    if not is_made_list(path) or not path_from_anywhere(path).name.startswith('val_'):
        return 0
    try:
        with open(path, newline='', encoding='utf-8', errors='surrogateescape') as file:
            rows = csv.DictReader(file)
            return sum(row[KEPT_BACK] == 'True' for row in rows) if KEPT_BACK in (rows.fieldnames or ()) else None
    except (OSError, csv.Error):  # an audit does without it
        return None


def find_moved_lists(value: Any, work_dir: str | Path) -> None:
    """Name the lists of a config where they are now.

    Args:
        value (Any): The config, or a part of it, changed in place.
        work_dir (str | Path): The work directory that it lies in.
    """
    if isinstance(value, dict):
        if isinstance(value.get('ann_file'), str):
            value['ann_file'] = found_list(value['ann_file'], work_dir)
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for inner in value:
            find_moved_lists(inner, work_dir)
