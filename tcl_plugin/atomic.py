# SPDX-License-Identifier: Apache-2.0
"""Files that are whole at every moment: written beside their place, and put there when they are complete."""

import contextlib
import errno
import glob
import io
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

# What file systems answer that cannot flush a folder.
CANNOT_FLUSH = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM}

# Seconds to wait for a program that has a file open.
PATIENCE = 1.0

# Seconds after which nobody writes a file any more that has not changed in the meantime.
ABANDONED = 3600


@contextlib.contextmanager
def beside(path: str | Path) -> Iterator[Path]:
    """Name a file to write, which takes the place of another when the block ends.

    Until then, and for good if the block fails, the process is killed or the disk is full, the former file stays as it
    was. The content is on the disk before the name is given to it, so that a loss of power cannot leave an empty file
    under that name. Two processes that write the same file do not share what lies beside it: the last one's file is
    there in the end. What a killed process has left there, the next writer of the same file removes.

    Args:
        path (str | Path): The file. Where it is a link, the file that it points to is replaced; where it is no
            file at all, such as ``/dev/stdout``, it is written to as it is.

    Yields:
        Path: ``NAME.HOST-PROCESS.tmp`` in the same folder.

    Raises:
        OSError: If it cannot be written. Its ``filename`` is set.
    """
    # Before the link is followed: that to a pipe leads to a name that is none.
    if Path(path).exists() and not Path(path).is_file():
        yield Path(path)
        return
    target = Path(os.path.realpath(path))
    _remove_leftovers(target)
    temporary = target.with_name(f'{target.name}.{_host()}-{os.getpid()}.tmp')
    try:
        yield temporary
        with temporary.open('rb+') as file:
            os.fsync(file.fileno())
        _replace(temporary, target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            # Writing to an open file does not tell which.
            error.filename = str(path)
        raise
    _flush_folder(target.parent)


@contextlib.contextmanager
def replacing(
    path: str | Path, mode: str = 'w', newline: str | None = None, errors: str | None = None
) -> Iterator[IO]:
    """Open a file that takes the place of another when the block ends; see :func:`beside`.

    Args:
        path (str | Path): The file.
        mode (str): ``'w'`` for text, which is UTF-8, or ``'wb'``. Defaults to ``'w'``.
        newline (str, optional): See :func:`open`. Defaults to None.
        errors (str, optional): What becomes of characters that are not UTF-8; see :func:`open`. Defaults to None.

    Yields:
        IO: The open file.

    Raises:
        OSError: If it cannot be written.
    """
    encoding = None if 'b' in mode else 'utf-8'
    with beside(path) as temporary, temporary.open(mode, encoding=encoding, newline=newline, errors=errors) as file:
        yield file


def write_text(path: str | Path, text: str, errors: str | None = None) -> None:
    """Write a text file as :func:`replacing` does.

    Args:
        path (str | Path): The file.
        text (str): Its content.
        errors (str, optional): See :func:`replacing`. Defaults to None.

    Raises:
        OSError: If it cannot be written.
    """
    with replacing(path, errors=errors) as file:
        file.write(text)


def array_bytes(array: np.ndarray) -> bytes:
    """Make the content of an ``.npy`` file, for a file that may not be cut short unnoticed.

    ``np.save`` hands a file on to the C library, and does not look whether the last few kilobytes have reached it: on
    a full disk it leaves part of the array, and raises nothing (seen with numpy 2.4).

    Args:
        array (np.ndarray): The array, without objects in it.

    Returns:
        bytes: The content.
    """
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    return content.getvalue()


def _replace(temporary: Path, target: Path) -> None:
    """Give a file its name: on Windows only when no other program has the former one open, such as a virus scanner."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            os.replace(temporary, target)
            return
        except PermissionError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


def _host() -> str:
    return socket.gethostname().partition('.')[0]


def _remove_leftovers(target: Path) -> None:
    """Remove what processes that are gone have left beside a file.

    Those of other machines, and on Windows, cannot be asked whether they are: their files are, after a while.
    """
    for path in target.parent.glob(f'{glob.escape(target.name)}.*tmp'):
        # Earlier releases wrote NAME.tmp.
        owner = re.fullmatch(r'\.(?:([^.]*)-(\d+)\.)?tmp', path.name.removeprefix(target.name))
        # Another process may be as quick, or the file that of another user.
        with contextlib.suppress(OSError):
            known = owner and owner[1] == _host() and os.name == 'posix'
            gone = known and owner and not _alive(int(owner[2]))
            if gone or (owner and time.time() - path.stat().st_mtime > ABANDONED):
                path.unlink()


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


def _flush_folder(folder: Path) -> None:
    """Let the new name survive a loss of power, where the system can do so."""
    if os.name != 'posix':
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_FLUSH:
            raise
    finally:
        os.close(descriptor)
