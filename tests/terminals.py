# SPDX-License-Identifier: Apache-2.0
"""A pseudo-terminal in the place of stderr or stdout, and what a person would see on it."""

import os
import pty
import re
import sys
import threading

# Moves of the cursor up, and erasing of its line or to its end; any other sequence changes no text.
SEQUENCE = re.compile(r'\x1b\[(\??[\d;]*)([A-Za-z])')


class CurrentStdout:
    """A stream to whatever ``sys.stdout`` is when something is written."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


class Terminal:
    """A pseudo-terminal, which takes the place of streams while it is a context.

    Args:
        *names (str): The streams: ``'stderr'``, ``'stdout'``.
    """

    def __init__(self, *names: str) -> None:
        self._names = names
        self._chunks: list[bytes] = []

    def __enter__(self) -> 'Terminal':
        self._master, slave = pty.openpty()
        self._stream = os.fdopen(slave, 'w', buffering=1)
        # Somebody must read, or a writer would wait once the buffer is full.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._before = {name: getattr(sys, name) for name in self._names}
        for name in self._names:
            setattr(sys, name, self._stream)
        return self

    def __exit__(self, *_) -> None:
        for name, stream in self._before.items():
            setattr(sys, name, stream)
        self._stream.close()
        self._reader.join(10)
        os.close(self._master)

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._master, 4096)
            except OSError:  # the other end is closed
                return
            if not chunk:
                return
            self._chunks.append(chunk)

    @property
    def text(self) -> str:
        """str: All that was written, with its control sequences."""
        return b''.join(self._chunks).decode()

    @property
    def seen(self) -> str:
        """str: All that was ever to be read, without colours and moves."""
        return SEQUENCE.sub('', self.text)

    @property
    def screen(self) -> list[str]:
        """list[str]: The lines that are left in the end."""
        return screen_of(self.text)


def screen_of(text: str) -> list[str]:
    """What is on a screen of any size after a text with control sequences."""
    lines, row, column, at = [''], 0, 0, 0
    while at < len(text):
        sequence = SEQUENCE.match(text, at)
        if sequence:
            count, kind = sequence.groups()
            if kind == 'A':
                row = max(0, row - int(count or 1))
            elif kind == 'K':
                lines[row] = '' if count == '2' else lines[row][:column]
            at = sequence.end()
            continue
        letter, at = text[at], at + 1
        if letter == '\r':
            column = 0
        elif letter == '\n':
            row += 1
            lines += [''] * (row + 1 - len(lines))
        else:
            lines[row] = lines[row][:column].ljust(column) + letter + lines[row][column + 1 :]
            column += 1
    while lines and not lines[-1]:
        lines.pop()
    return lines
