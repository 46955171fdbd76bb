# SPDX-License-Identifier: Apache-2.0
"""A work directory is held by one process, for as long as it is at work."""

import errno
import fcntl
import multiprocessing
import os

import pytest

from tcl_plugin import folder_lock
from tcl_plugin.errors import UserError
from tcl_plugin.folder_lock import LOCK_NAME, alone_in, is_held


def attempt(folder, end):
    """Send what another process is told that wants the folder."""
    try:
        with alone_in(folder):
            end.send('held')
    except UserError as error:
        end.send(str(error))


def asked(folder, end):
    """Send whether another process holds the folder."""
    end.send(is_held(folder))


def told_elsewhere(folder, question=attempt):
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context('fork').Process(target=question, args=(folder, sender))
    process.start()
    assert receiver.poll(60)
    told = receiver.recv()
    process.join()
    return told


def test_one_at_a_time(tmp_path):
    folder = tmp_path / 'runs' / 'mine'
    with alone_in(folder):
        told = told_elsewhere(folder)
        assert f'another training is at work in {folder} (process {os.getpid()} on ' in told
        assert told.endswith('wait until it has ended, or name another folder by --work-dir')
        assert told_elsewhere(tmp_path / 'other') == 'held'
    assert told_elsewhere(folder) == 'held'


def test_others_may_ask(tmp_path):
    assert told_elsewhere(tmp_path, asked) is False and not list(tmp_path.iterdir())
    with alone_in(tmp_path):
        assert told_elsewhere(tmp_path, asked) is True
        assert str(os.getpid()) in (tmp_path / LOCK_NAME).read_text()
    assert told_elsewhere(tmp_path, asked) is False


def test_a_failure_lets_go(tmp_path):
    with pytest.raises(KeyboardInterrupt), alone_in(tmp_path):
        raise KeyboardInterrupt
    assert told_elsewhere(tmp_path) == 'held'


@pytest.mark.parametrize('windows', [False, True])
def test_storage_without_locks(tmp_path, monkeypatch, windows):
    def lockf(file, how):
        raise OSError(errno.ENOLCK, 'No locks available')

    monkeypatch.setattr(fcntl, 'lockf', lockf)
    if windows:
        monkeypatch.setattr(folder_lock, 'fcntl', None)
    with alone_in(tmp_path):
        assert str(os.getpid()) in (tmp_path / LOCK_NAME).read_text()
