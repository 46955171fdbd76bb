# SPDX-License-Identifier: Apache-2.0
"""A file is the former one or the new one, whatever happens while it is written."""

import ast
import contextlib
import errno
import json
import multiprocessing
import os
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from killing import full_disk, killed_at_work

from tcl_plugin import atomic
from tcl_plugin.atomic import beside, replacing, write_text
from tcl_plugin.evaluation import write_columns
from tcl_plugin.hooks import transition_matrix_hook
from tcl_plugin.hooks.ordered_pass import PassBatch
from tcl_plugin.hooks.prob_export import ProbExport
from tcl_plugin.hooks.run_info_hook import RunInfoHook


def test_killed_writers_leave_a_whole_file(tmp_path):
    path = tmp_path / 'file'

    def write(number):
        with replacing(path) as file:
            for _ in range(20):
                file.write(f'{number % 10}' * 5000)

    for _ in killed_at_work(write, times=50):
        text = path.read_text()
        assert len(text) == 100_000 and len(set(text)) == 1
    # At most one piece of a file is left, and the next writer removes it.
    assert len(list(tmp_path.iterdir())) <= 2
    write_text(path, 'new')
    assert path.read_text() == 'new' and list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_file_leave_each_other_alone(tmp_path):
    """As sweeps do that were started together."""
    path = tmp_path / 'file'

    def write():
        for _ in range(50):
            write_text(path, 'content' * 1000)

    processes = [multiprocessing.get_context('fork').Process(target=write) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 3
    assert path.read_text() == 'content' * 1000 and list(tmp_path.iterdir()) == [path]


def test_a_pipe_is_written_to_as_it_is(tmp_path):
    """By the name of a link that leads to no path."""
    code = "from tcl_plugin.atomic import write_text; write_text('/dev/stdout', 'table')"
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.returncode) == ('table', 0), done.stderr


@pytest.mark.parametrize(
    ('name', 'age', 'stays'),
    [
        ('file.HERE-999999999.tmp', 0, False),
        # Of an earlier release.
        ('file.tmp', 60, True),
        ('file.tmp', 7200, False),
        ('file.HERE-1.tmp', 0, True),
        ('file.elsewhere-1.tmp', 60, True),
        ('file.elsewhere-1.tmp', 7200, False),
        # Nobody's business here.
        ('file.mine.tmp', 7200, True),
        ('file.txt.elsewhere-1.tmp', 7200, True),
    ],
)
def test_what_others_have_left(name, age, stays, tmp_path):
    """Of processes that are gone it is removed, of those on other machines when it is old."""
    left = tmp_path / name.replace('HERE', socket.gethostname().partition('.')[0])
    left.write_text('half')
    os.utime(left, (time.time() - age,) * 2)
    write_text(tmp_path / 'file', 'new')
    assert left.exists() == stays


def test_failing_block_changes_nothing(tmp_path):
    path = tmp_path / 'file'
    write_text(path, 'old')
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write('half of it')
        raise KeyboardInterrupt
    assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path]


def test_link_stays_a_link(tmp_path):
    (tmp_path / 'elsewhere').mkdir()
    target, link = tmp_path / 'elsewhere' / 'file', tmp_path / 'link'
    target.write_text('old')
    link.symlink_to(target)
    write_text(link, 'new')
    assert link.is_symlink() and target.read_text() == 'new'


def test_what_is_no_file_is_written_to(tmp_path):
    """As with ``--out /dev/stdout``."""
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with beside(pipe) as path:
        path.write_text('seen')
    assert os.read(reader, 10) == b'seen' and stat.S_ISFIFO(pipe.stat().st_mode)
    os.close(reader)


def test_content_is_on_the_disk_before_its_name(tmp_path, monkeypatch):
    """Otherwise a loss of power can leave the new name with nothing in it."""
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, 'fsync', lambda number: (calls.append('flush'), fsync(number)))
    monkeypatch.setattr(os, 'replace', lambda *paths: (calls.append('rename'), replace(*paths)))
    write_text(tmp_path / 'file', 'text')
    assert calls == ['flush', 'rename', 'flush']


@pytest.mark.parametrize(('number', 'fatal'), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)])
def test_folders_that_cannot_be_flushed(number, fatal, tmp_path, monkeypatch):
    """Some file systems know no such thing, which costs no run; a disk that fails is told."""
    fsync = os.fsync

    def flush(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, 'fsync', flush)
    with pytest.raises(OSError, match=os.strerror(number)) if fatal else contextlib.nullcontext():
        write_text(tmp_path / 'file', 'new')
    assert (tmp_path / 'file').read_text() == 'new'


def test_a_file_that_another_program_has_open(tmp_path, monkeypatch):
    """Which cannot be replaced on Windows: a moment is waited for, and no more."""
    replace, refusals = os.replace, [1, 1]

    def busy(source, target):
        if refusals:
            refusals.pop()
            raise PermissionError(errno.EACCES, 'Access is denied', str(source), None, str(target))
        replace(source, target)

    monkeypatch.setattr(os, 'replace', busy)
    path = tmp_path / 'file'
    write_text(path, 'old')
    assert path.read_text() == 'old'
    refusals += [1] * 1000
    monkeypatch.setattr(atomic, 'PATIENCE', 0.1)
    with pytest.raises(PermissionError):
        write_text(path, 'new')
    assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path] and len(refusals) > 990


# Full disks


def table(folder):
    write_columns(folder / 'label_quality.csv', {'sample_idx': np.arange(1000)})


def predictions(folder, num_classes=10):
    export, size = ProbExport(), 100
    probs, index = torch.full((size, num_classes), 0.1), torch.arange(size)
    list(export.watch([PassBatch(index, probs, probs, index)]))
    export.write(folder, index.numpy(), num_classes)


def labels(folder):
    """Of one class, so that the predictions are the smaller file and still have room."""
    predictions(folder, num_classes=1)


def matrix(folder):
    class Runner:
        work_dir = folder
        logger = type('Logger', (), {'info': staticmethod(print)})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transition_matrix_hook, '_loss_of', lambda _: type('', (), {'set_matrix': lambda *_: None}))
        transition_matrix_hook._hand_over(Runner, np.eye(10))


def run_info(folder):
    hook = RunInfoHook()
    hook._info = dict(command='x' * 1000)
    hook._write(type('Runner', (), {'log_dir': folder}))


@pytest.mark.parametrize(
    ('write', 'room'), [(table, 500), (predictions, 500), (labels, 600), (matrix, 500), (run_info, 500)]
)
def test_full_disk_leaves_the_former_files(write, room, tmp_path):
    write(tmp_path)
    former = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert former and not any(name.endswith('.tmp') for name in former)
    with full_disk(room), pytest.raises(OSError) as caught:
        write(tmp_path)
    assert caught.value.errno == errno.EFBIG and caught.value.filename.startswith(str(tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == former


# What writes into a file that is named, but for those that carry on a log or are asked for by name in a benchmark.
WRITERS = {'write_text', 'write_bytes', 'tofile', 'save', 'savez', 'savetxt', 'savefig', 'dump', 'to_csv', 'export'}
NOT_SO = {
    'tcl_plugin/atomic.py',
    'tcl_plugin/folder_lock.py:open',
    'tcl_plugin/sweeps/pool.py:open',
    'tools/benchmark.py:dump',
    'tools/export_onnx.py:export',
}
ROOT = Path(__file__).resolve().parents[1]


def writing_calls(path):
    """Names of the calls in a module that write a file in its place."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if not isinstance(node, ast.Call):
            continue
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        texts = [value.value for value in values if isinstance(value, ast.Constant) and isinstance(value.value, str)]
        method = getattr(node.func, 'attr', '')
        # Into memory, or into what beside() has named.
        good = {value.id for value in values if isinstance(value, ast.Name)} & {'temporary', 'content'}
        if 'open' in (method, getattr(node.func, 'id', '')):
            if any(set(text) <= set('rwaxbt+') and set(text) & set('wax+') for text in texts):
                yield 'open'
        elif method in WRITERS and not good:
            yield method


def test_nothing_is_written_otherwise():
    """Tables, lists, summaries, pages and pictures."""
    found = set()
    for folder in ('tcl_plugin', 'tools'):
        for path in (ROOT / folder).rglob('*.py'):
            name = path.relative_to(ROOT).as_posix()
            found |= {f'{name}:{call}' for call in writing_calls(path) if name not in NOT_SO}
    assert found == {entry for entry in NOT_SO if ':' in entry}


def test_exported_predictions_are_an_array(tmp_path):
    predictions(tmp_path)
    probs = np.load(tmp_path / 'pred_probs.npy', allow_pickle=False)
    assert probs.shape == (100, 10) and probs.dtype == np.float32 and (probs == np.float32(0.1)).all()
    assert np.load(tmp_path / 'labels.npy', allow_pickle=False).tolist() == list(range(100))
    run_info(tmp_path)
    assert len(json.loads((tmp_path / 'run.json').read_text())['command']) == 1000
