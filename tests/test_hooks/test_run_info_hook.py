# SPDX-License-Identifier: Apache-2.0
"""What a run writes down of itself is what tables of runs read."""

import json
import platform
import subprocess
import time

import pytest
import torch
from mmpretrain.registry import MODELS
from toy_runs import PLAIN_PIPELINE, build_runner, classifier, noisy_digits

from tcl_plugin import provenance
from tcl_plugin.hooks import run_info_hook
from tcl_plugin.provenance import commit_of, device_name
from tcl_plugin.reports import read_record

INFO = dict(type='RunInfoHook')


def train(work_dir, epochs, hooks=(), **changes):
    images = noisy_digits(pipeline=PLAIN_PIPELINE)
    every = dict(by_epoch=True, max_epochs=epochs, val_interval=1)
    build_runner(work_dir, classifier(), images, INFO, *hooks, max_epochs=epochs, train_cfg=every, **changes).train()


def test_pieces_of_a_resumed_run_say_where_they_begin(tmp_path):
    train(tmp_path, 1)
    time.sleep(1)  # pieces are named by the second in which they begin
    train(tmp_path, 2, resume=True, load_from=str(tmp_path / 'epoch_1.pth'))
    pieces = [json.loads(path.read_text()) for path in sorted(tmp_path.glob('*/run.json'))]
    assert [(piece['first_epoch'], piece['piece']) for piece in pieces] == [(1, 1), (2, 2)]
    assert all(piece['seconds'] > 0 and piece['processes'] == 1 for piece in pieces)
    assert read_record(tmp_path).series('accuracy/top1').keys() == {1, 2}
    assert 'nothing is left to train' not in logged(tmp_path)
    time.sleep(1)
    train(tmp_path, 2, resume=True, load_from=str(tmp_path / 'epoch_2.pth'))
    assert 'nothing is left to train: the checkpoint has all 2 epochs of train_cfg.max_epochs' in logged(tmp_path)


@pytest.mark.parametrize(('epochs', 'early'), [(3, True), (2, False)])
def test_a_run_that_is_stopped_early(tmp_path, epochs, early):
    """Its end; not where there would have been no other epoch."""
    train(tmp_path, epochs, hooks=[dict(type='EarlyStoppingHook', monitor='accuracy/top1', patience=1, min_delta=100)])
    (info,) = [json.loads(path.read_text()) for path in tmp_path.glob('*/run.json')]
    assert info.get('stopped_early', False) is early and read_record(tmp_path).epochs == 2


def logged(work_dir):
    return ''.join(path.read_text() for path in work_dir.glob('*/*.log'))


def test_devices_that_are_not_described(monkeypatch, tmp_path):
    """An ARM processor has no name in Linux, and an Apple GPU none in torch."""
    assert device_name(torch.device('mps')) == 'mps'
    (tmp_path / 'cpuinfo').write_text('processor\t: 0\nCPU part\t: 0xd40\n')
    monkeypatch.setattr(provenance, 'Path', lambda name: tmp_path / 'cpuinfo')
    monkeypatch.setattr(platform, 'processor', lambda: '')
    monkeypatch.setattr(platform, 'machine', lambda: 'aarch64')
    assert device_name(torch.device('cpu')).startswith('aarch64, ')


def test_commit_says_whether_the_files_are_those_of_the_commit(tmp_path):
    def git(*arguments):
        names = ['-c', 'user.name=x', '-c', 'user.email=x@example.org']
        command = ['git', '-C', str(tmp_path), *names, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    file = tmp_path / 'module.py'
    file.write_text('one = 1\n')
    assert commit_of(file) is None  # no repository
    try:
        git('init')
    except FileNotFoundError:
        pytest.skip('no git')
    assert commit_of(file) is None  # nothing that git tracks
    git('add', 'module.py')
    git('commit', '-m', 'one')
    commit = git('rev-parse', 'HEAD')
    assert commit_of(file) == commit
    (tmp_path / 'notes.txt').write_text('not tracked')
    assert commit_of(file) == commit and commit_of(tmp_path / 'notes.txt') is None
    file.write_text('one = 2\n')
    assert commit_of(file) == f'{commit}-dirty'


@pytest.mark.parametrize('known', [False, True])
def test_precision_that_the_device_chooses(known, monkeypatch):
    """Figures of machines with bfloat16 are not those of others."""
    monkeypatch.setattr(run_info_hook, 'has_bfloat16', lambda device: known)
    model = MODELS.build(classifier(type='FastImageClassifier', bfloat16=True))
    plain = device_name(torch.device('cpu'))
    assert run_info_hook._device_of(model) == (f'{plain}, bfloat16' if known else plain)
    assert run_info_hook._device_of(MODELS.build(classifier())) == plain
