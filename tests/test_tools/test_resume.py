# SPDX-License-Identifier: Apache-2.0
"""Runs that are stopped go on with ``--resume``, exactly, and from a checkpoint that is whole."""

import multiprocessing
import os
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from killing import full_disk
from mmengine.config import Config
from mmengine.runner import EpochBasedTrainLoop
from toolbox import DIGITS, options

from tcl_plugin.checkpoints import damage_of


def flags(name, *more):
    """Arguments for a run in folder ``w`` that is otherwise that of the fixture ``trained``."""
    return [str(DIGITS), '--work-dir', 'w', *more, *options(f'experiment_name={name}')]


def hang(tool, argv, marker, step):
    """Train, and stay for ever in the middle of the second epoch."""
    run_iter = EpochBasedTrainLoop.run_iter

    def stay(loop, idx, batch):
        run_iter(loop, idx, batch)
        if (loop.epoch, idx) == (1, step):
            marker.touch()
            time.sleep(1000)

    EpochBasedTrainLoop.run_iter = stay
    tool.main(argv)


def stop_by(number, tool, name, step, *more):
    """Train in a process of its own, and send it a signal in the middle of the second epoch."""
    marker = Path(f'{name}.marker').absolute()
    process = multiprocessing.get_context('fork').Process(target=hang, args=(tool, flags(name, *more), marker, step))
    process.start()
    end = time.monotonic() + 120
    while not marker.exists() and process.is_alive() and time.monotonic() < end:
        time.sleep(0.02)
    os.kill(process.pid, number)
    process.join()
    assert process.exitcode == -number
    assert Path('w/last_checkpoint').read_text().endswith('epoch_1.pth') and not Path('w/epoch_2.pth').exists()


def test_run_that_is_stopped_twice_equals_one_that_is_not(train_tool, trained, workplace):
    stop_by(signal.SIGTERM, train_tool, 'first', 1)
    stop_by(signal.SIGKILL, train_tool, 'second', 2, '--resume')
    # As if it had been killed once more, by a release that writes into the file itself.
    whole = Path('w/epoch_1.pth').read_bytes()
    Path('w/epoch_2.pth').write_bytes(whole[:-1000])
    Path('w/last_checkpoint').write_text('w/epoch_2.pth')
    assert train_tool.main(flags('third', '--resume')) == 0
    found, expected = (torch.load(folder / 'epoch_2.pth', weights_only=True) for folder in (Path('w'), trained))
    for name, value in expected['state_dict'].items():
        assert torch.equal(found['state_dict'][name], value), name
    assert Path('w/label_quality.csv').read_bytes() == (trained / 'label_quality.csv').read_bytes()
    log = max(Path('w').glob('*/*.log')).read_text()
    assert 'checkpoint w/epoch_2.pth is cut short: going on from w/epoch_1.pth' in log
    assert 'resumed epoch: 1, iter: 4' in log and 'no longer bit for bit' not in log


def test_full_disk_ends_a_run_in_one_line(train_tool, trained, workplace, capsys):
    Path('w').mkdir()
    shutil.copy(trained / 'epoch_1.pth', 'w')
    Path('w/last_checkpoint').write_text('w/epoch_1.pth')
    with full_disk(Path('w/epoch_1.pth').stat().st_size // 2):
        assert train_tool.main(flags('full', '--resume')) == 2
    printed = capsys.readouterr().err
    new = Path('w/epoch_2.pth').absolute()
    assert printed == f'error: {new} cannot be written: File too large; make room, and go on with --resume\n'
    assert damage_of('w/epoch_1.pth') is None and Path('w/last_checkpoint').read_text() == 'w/epoch_1.pth'
    assert not Path('w/epoch_2.pth').exists() and not list(Path('w').glob('*.tmp'))


def test_full_disk_at_the_start(train_tool, workplace, monkeypatch, capsys):
    """There is no room for the copy of the config, whose file is not told."""
    run = train_tool.run

    def without_room(*args):
        with full_disk(1000):
            run(*args)

    monkeypatch.setattr(train_tool, 'run', without_room)
    assert train_tool.main(flags('begun')) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == 'error: w cannot be written: File too large; make room, and go on with --resume'


def test_the_record_is_read_as_it_was_written(train_tool, trained, workplace, monkeypatch):
    """Where text files are not UTF-8, as on Windows, mmengine would look in another folder."""
    folder = workplace / 'Müller lauf'
    folder.mkdir()
    shutil.copy(trained / 'epoch_1.pth', folder)
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_1.pth'), encoding='utf-8')

    def find_latest_checkpoint(path):
        return Path(path, 'last_checkpoint').read_text(encoding='latin-1')

    monkeypatch.setattr('mmengine.runner.runner.find_latest_checkpoint', find_latest_checkpoint)
    argv = [str(DIGITS), '--work-dir', str(folder), '--resume', *options('experiment_name=locale')]
    assert train_tool.main(argv) == 0
    (log,) = folder.glob('*/*.log')
    assert 'resumed epoch: 1, iter: 4' in log.read_text(encoding='utf-8') and (folder / 'epoch_2.pth').exists()


# Which checkpoint


@pytest.fixture
def choose(train_tool, toy):
    """Call the tool up to the choice of a checkpoint; return what it has chosen, and its warnings."""

    def call(*flags, **settings):
        toy.write_text(toy.read_text() + ''.join(f'{name} = {value!r}\n' for name, value in settings.items()))
        args = train_tool.parse_args([str(toy), '--work-dir', 'w', *flags])
        cfg = Config.fromfile(toy)
        train_tool.merge_args(cfg, args)
        warnings = train_tool.choose_checkpoint(cfg, args)
        return cfg.get('resume'), cfg.get('load_from'), warnings

    return call


def save(*names):
    Path('w').mkdir(exist_ok=True)
    for name in names:
        torch.save(dict(state_dict={}), name)


def test_nothing_is_resumed_unless_asked(choose):
    save('w/epoch_1.pth')
    assert choose() == (None, None, [])


def test_one_that_is_named(choose):
    save('p.pth')
    assert choose('--resume', 'p.pth') == (True, 'p.pth', [])


@pytest.mark.parametrize(('flags', 'settings'), [(['--resume'], {}), ([], dict(resume=True))])
def test_the_one_on_record(choose, flags, settings):
    save('w/epoch_1.pth', 'w/epoch_2.pth')
    Path('w/last_checkpoint').write_text('w/epoch_2.pth')
    # Found again when the run begins.
    assert choose(*flags, **settings) == (True, None, [])
    Path('w/epoch_2.pth').write_bytes(b'')
    warning = 'checkpoint w/epoch_2.pth is empty: going on from w/epoch_1.pth'
    assert choose(*flags) == (True, 'w/epoch_1.pth', [warning])


def test_first_start_of_a_run_that_loads_weights(choose):
    """The same command line serves for the first start and all others, with ``load_from`` among its options too."""
    save('stage1.pth')
    warning = 'nothing to resume in w: training begins with the first epoch'
    assert choose('--resume', load_from='stage1.pth') == (False, 'stage1.pth', [warning])
    save('w/epoch_1.pth')
    Path('w/last_checkpoint').write_text('w/epoch_1.pth')
    assert choose('--resume', '--cfg-options', 'load_from=stage1.pth') == (True, None, [])


def test_one_that_is_named_must_be_whole(train_tool, toy, capsys):
    Path('p.pth').write_bytes(b'PK\x03\x04')
    assert train_tool.main([str(toy), '--resume', 'p.pth']) == 2
    assert capsys.readouterr().err == 'error: checkpoint p.pth is cut short: name another one\n'


def test_nothing_whole(train_tool, toy, capsys):
    Path('w').mkdir()
    Path('w/epoch_1.pth').write_bytes(b'')
    Path('w/last_checkpoint').write_text('w/epoch_1.pth')
    assert train_tool.main([str(toy), '--work-dir', 'w', '--resume']) == 2
    line = capsys.readouterr().err
    assert line.startswith('error: w has no whole checkpoint to go on from: w/epoch_1.pth is empty; ')
    assert line.count('\n') == 1 and 'leave --resume out' in line
