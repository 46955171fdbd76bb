# SPDX-License-Identifier: Apache-2.0
"""Files by which somebody would run code here, or take all memory."""

import pathlib
import pickle
import zipfile
from pathlib import Path


class Touch:
    """Makes a file when it is unpickled.

    Args:
        path (Path): The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return pathlib.Path.touch, (self.path,)


def write_pickle(path: Path, trace: Path) -> Path:
    """Write a plain pickle that makes a file."""
    path.write_bytes(pickle.dumps(Touch(trace), protocol=2))
    return path


def npy_header(*shape: int, dtype: str = '<i8') -> bytes:
    """The beginning of a ``.npy`` file that claims an array of this shape."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    return b'\x93NUMPY\x01\x00v\x00' + text.encode().ljust(117) + b'\n'


def write_npz(path: Path, **members: bytes) -> Path:
    """Write a compressed archive whose members hold these bytes."""
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f'{name}.npy', content)
    return path
