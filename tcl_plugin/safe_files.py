# SPDX-License-Identifier: Apache-2.0
"""Readers of files that others have made: nothing in a file is run, and a small file cannot ask for much memory."""

import json
import math
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

# Room for the header of a file of numpy, which has some hundreds.
HEADER_BYTES = 65_536
# Which function reads the header of a version of the .npy format. The third, for names of fields in Unicode, is not
# read: numbers and texts have no fields.
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def read_json(path: str | Path) -> object:
    """Read a JSON file as the standard has it: no key twice, no NaN, of bearable depth.

    Args:
        path (str | Path): The file, in UTF-8, with a byte order mark or without.

    Returns:
        object: Its content.

    Raises:
        ValueError: It is no such file.
    """
    return parse_json(Path(path).read_text(encoding='utf-8-sig'))


def parse_json(text: str, nan: bool = False) -> object:
    """Read JSON as :func:`read_json` does, or with ``nan`` also ``NaN`` and ``Infinity``, as numbers."""
    try:
        return json.loads(
            text, parse_constant=None if nan else _refuse_constant, object_pairs_hook=_without_duplicates
        )
    except RecursionError:
        raise ValueError('it is nested too deeply') from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f'{name} is no number in JSON')


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f'it has the key {next(name for name in names if names.count(name) > 1)!r} twice')
    return content


def read_npy(path: str | Path) -> np.ndarray:
    """Read an array of numbers or texts from a ``.npy`` file.

    Args:
        path (str | Path): The file.

    Returns:
        np.ndarray: The array.

    Raises:
        TypeError: It is an archive of several arrays.
        ValueError: It is no such file, holds pickled objects, or its header claims more than there is.
    """
    path = Path(path)
    with path.open('rb') as file:
        if file.read(2) == b'PK':
            raise TypeError('expected one array, got an archive of several (.npz)')
        file.seek(0)
        _check_header(file, path.stat().st_size)
    # Pickles can run code: numbers never need them.
    return np.load(path, allow_pickle=False)


def read_npz(path: str | Path, wanted: Collection[str], most: int) -> dict[str, np.ndarray | None]:
    """Read some of the arrays in a ``.npz`` file.

    Args:
        path (str | Path): The file.
        wanted (Collection[str]): Names of arrays to read, which need not be there.
        most (int): Largest number of entries of each: what is compressed may be small on disk alone.

    Returns:
        dict[str, np.ndarray | None]: The arrays by name; None for those that are not wanted.

    Raises:
        ValueError: It is no such file; or a wanted array holds pickled objects, is larger, or is none.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix('.npy'): info for info in archive.infolist()}
            return {
                name: _read_member(archive, info, most) if name in wanted else None for name, info in members.items()
            }
    # Of a member that is compressed in an unknown way, encrypted, or cut short.
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(str(error)) from error


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> np.ndarray:
    # Numbers take eight bytes or fewer. Not even the header of a larger one is read: it may be as large.
    if info.file_size > 8 * most + HEADER_BYTES:
        raise ValueError(f'{info.filename} unpacks to {info.file_size:,} bytes, far more than expected')
    with archive.open(info) as file:
        shape = _check_header(file, info.file_size)
    if math.prod(shape) > most:
        raise ValueError(f'{info.filename} has {math.prod(shape)} entries, far more than expected')
    with archive.open(info) as file:
        return npy.read_array(file, allow_pickle=False)


def _check_header(file: IO[bytes], size: int) -> tuple[int, ...]:
    """Refuse an array of objects, and a header that claims more than ``size`` bytes; return the shape.

    numpy makes room for what the header claims before it reads on.
    """
    version = npy.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f'version {version[0]}.{version[1]} of the format is not known')
    try:
        shape, _, dtype = _HEADERS[version](file)
    except Exception as error:  # of a damaged header, whatever its first wrong byte happens to mean
        raise ValueError(f'its header cannot be read: {error}') from error
    if dtype.hasobject:
        raise ValueError('it holds pickled objects, which may run code, not numbers')
    claimed = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or claimed > size:
        raise ValueError(f'its header claims an array of shape {shape}, {claimed} bytes, but it has {size}')
    return shape


def check_torch_archive(path: str | Path) -> None:
    """Refuse a file of ``torch.save`` that would take more memory than it takes on disk.

    ``torch.save`` compresses nothing, but ``torch.load`` would unpack what somebody else has compressed.

    Args:
        path (str | Path): The file; one of another kind passes.

    Raises:
        ValueError: It is compressed, or damaged.
    """
    path = Path(path)
    try:
        if not zipfile.is_zipfile(path):
            return
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise ValueError(f'it is damaged: {error}') from error
    size = path.stat().st_size
    if unpacked > size:
        raise ValueError(
            f'it would unpack to {unpacked} bytes, more than its {size}: torch.save compresses nothing, '
            'so that this is not its work'
        )
