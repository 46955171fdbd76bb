# SPDX-License-Identifier: Apache-2.0
"""Which checkpoint of a work directory a run can go on from."""

import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.runner import CheckpointLoader

from .errors import one_line
from .explain import explain_checkpoint, explain_files
from .moved_lists import path_from_anywhere
from .safe_files import check_torch_archive

RECORD = 'last_checkpoint'

# What mmengine calls them by default.
DEFAULT_NAME = re.compile(r'(?:epoch|iter)_(\d+)\.pth')


@dataclass
class Found:
    """What a work directory has to go on from.

    Attributes:
        path (Path, optional): The checkpoint; None if there is none.
        on_record (bool): Whether ``last_checkpoint`` names just this path, so that a run finds it by itself.
        damaged (list[str]): A line about each later checkpoint that could not be used.
    """

    path: Path | None = None
    on_record: bool = False
    damaged: list[str] = field(default_factory=list)


def archive_damage(path: str | Path) -> str | None:
    """Find out whether a file of ``torch.save`` is whole, by comparing checksums. Nothing is loaded.

    Such files are zip archives with a checksum for each part. torch does not compare them when it reads: where a loss
    of power has left zeros in the middle of a file, it would go on with weights of zero.

    Args:
        path (str | Path): A local file. One of another kind has no checksums, and passes.

    Returns:
        str, optional: What is wrong, such as ``'is cut short'``; None if nothing is.
    """
    path = Path(path)
    if not path.stat().st_size:
        return 'is empty'
    with path.open('rb') as file:
        if file.read(4) != b'PK\x03\x04':
            return None
    if not zipfile.is_zipfile(path):
        return 'is cut short'
    try:
        check_torch_archive(path)
        with zipfile.ZipFile(path) as parts:
            bad = parts.testzip()
    except (ValueError, zipfile.BadZipFile, EOFError) as error:
        return f'cannot be read ({error})'
    return None if bad is None else f'is damaged (checksum of {bad})'


def damage_of(path: str | Path) -> str | None:
    """Find out whether a checkpoint is whole, by :func:`archive_damage` and by loading it.

    Args:
        path (str | Path): A local file.

    Returns:
        str, optional: What is wrong; None if nothing is.
    """
    path = Path(path)
    if not path.is_file():
        return 'does not exist'
    # Bytes that are no checkpoint bring up any kind of exception.
    try:
        damage = archive_damage(path)
        if damage is None:
            # Guarded by compat.py, as all of mmengine's loaders are.
            CheckpointLoader.load_checkpoint(str(path), map_location='cpu', logger='silent')
    except Exception as error:
        return f'cannot be read ({explain_files(error) or explain_checkpoint(error) or one_line(error)})'
    return damage


def find_whole_checkpoint(work_dir: str | Path) -> Found:
    """Find the checkpoint to go on from: that on record, or the latest one before it that is whole.

    Args:
        work_dir (str | Path): The work directory.

    Returns:
        Found: The checkpoint, and what is wrong with later ones.
    """
    found, recorded = Found(), _read_record(Path(work_dir))
    for path in _candidates(Path(work_dir)):
        damage = damage_of(path)
        if damage is None:
            found.path, found.on_record = path, str(path) == recorded
            break
        found.damaged.append(f'{path} {damage}')
    return found


def recorded_checkpoint(work_dir: str | Path) -> Path | None:
    """Find the last checkpoint of a work directory, which may have been moved or copied.

    ``last_checkpoint`` holds a whole path, in a copy that of the original: a file of that name in the work directory
    itself comes first.

    Args:
        work_dir (str | Path): The work directory.

    Returns:
        Path, optional: The checkpoint, which may be missing; None without a record.
    """
    recorded = _read_record(Path(work_dir))
    if not recorded:
        return None
    last = path_from_anywhere(recorded)
    own = Path(work_dir) / last.name
    return own if own.exists() and not (last.exists() and last.samefile(own)) else last


def _read_record(work_dir: Path) -> str:
    record = work_dir / RECORD
    return record.read_text(encoding='utf-8').strip() if record.is_file() else ''


def _candidates(work_dir: Path) -> list[Path]:
    """Checkpoints to try, the latest first."""
    last = recorded_checkpoint(work_dir)
    if last is None:
        # Stopped between the first checkpoint and the record of it, or while an earlier release wrote the record.
        paths = [path for path in work_dir.glob('*.pth') if DEFAULT_NAME.fullmatch(path.name)]
        return sorted(paths, key=lambda path: path.stat().st_mtime, reverse=True)
    return [last, *_earlier_than(last.name, last.parent if last.parent.is_dir() else work_dir)]


def _earlier_than(name: str, folder: Path) -> list[Path]:
    """Checkpoints in a folder whose names are those of earlier epochs, the latest first."""
    parts = re.fullmatch(r'(.*?)(\d*)(\D*)', name)
    assert parts is not None  # each part may be empty
    head, number, tail = parts.groups()
    if not number:
        return []
    pattern = re.compile(f'{re.escape(head)}(\\d+){re.escape(tail)}')
    found = {path: pattern.fullmatch(path.name) for path in folder.iterdir()}
    numbers = {path: int(match[1]) for path, match in found.items() if match and int(match[1]) < int(number)}
    return sorted(numbers, key=numbers.__getitem__, reverse=True)
