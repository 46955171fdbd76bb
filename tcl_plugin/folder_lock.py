# SPDX-License-Identifier: Apache-2.0
"""A work directory is that of one training at a time."""

import contextlib
import errno
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .errors import UserError, explained
from .explain import explain_files, explain_full_disk

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = 'in_use.lock'


@contextlib.contextmanager
def alone_in(folder: str | Path) -> Iterator[None]:
    """Hold a folder, which is made where missing, for the time of the block.

    Two trainings in one folder would take each other's checkpoints for their own. The operating system lets go of a
    lock when the process ends, however it ends; the file that stays behind holds nobody up. A process does not
    exclude itself, nor are folders held on Windows, or on storage that knows no locks.

    Args:
        folder (str | Path): The folder.

    Yields:
        None: While the folder is held.

    Raises:
        UserError: If another process holds it, or it can be neither made nor held.
    """
    with explained(explain_full_disk, explain_files):
        Path(folder).mkdir(parents=True, exist_ok=True)
        # Not flock: worker processes would inherit the lock, and keep it when the training has been killed.
        file = (Path(folder) / LOCK_NAME).open('a+', encoding='utf-8')
    with file:
        if fcntl is not None:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EACCES, errno.EAGAIN):
                    file.seek(0)
                    raise UserError(
                        f'another training is at work in {folder} ({file.read().strip()}): wait until it has ended, '
                        'or name another folder by --work-dir'
                    ) from None
        with explained(explain_full_disk, explain_files):
            _sign(file)
        yield


def is_held(folder: str | Path) -> bool:
    """Tell whether another process holds a folder.

    Args:
        folder (str | Path): The folder.

    Returns:
        bool: True if so; False, too, where folders are not held, see :func:`alone_in`.
    """
    path = Path(folder) / LOCK_NAME
    if fcntl is None or not path.exists():
        return False
    with explained(explain_files), path.open('a', encoding='utf-8') as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in (errno.EACCES, errno.EAGAIN)
    return False


def _sign(file: IO[str]) -> None:
    """Write down who holds the folder."""
    text = f'process {os.getpid()} on {socket.gethostname()}, since {time.strftime("%Y-%m-%d %H:%M:%S")}\n'
    try:
        file.truncate(0)
        # Not by the buffer, which would try again, and fail again, when the file is closed.
        os.write(file.fileno(), text.encode())
    except OSError as error:
        error.filename = str(file.name)
        raise
