# SPDX-License-Identifier: Apache-2.0
"""A sweep trains what is missing, in order, goes on where it was stopped, and its results come as a table."""

import csv
import io
import subprocess
import sys

import pytest
from toolbox import DIGITS, ROOT, TINY, load_file

CE, PLUS = (ROOT / 'configs' / name for name in ('ce_digits_sym80.py', 'variants/tclplus_digits_sym80.py'))
# One epoch; the schedule of the config would end before it begins.
SHORT = [*(option for option in TINY if 'max_epochs' not in option), 'train_cfg.max_epochs=1', 'param_scheduler=[]']


@pytest.fixture(scope='module')
def tool():
    return load_file(ROOT / 'tools' / 'sweep.py')


def plan(tool, *argv):
    return tool.plan(tool.parse_args([str(arg) for arg in argv]))


def test_every_config_under_every_noise_and_seed(tool):
    jobs = plan(tool, DIGITS, CE, '--noises', 'sym20', 'sym50', '--seeds', '0', '1', '--work-dir', 'w')
    names = [f'w/{method}_digits_{noise}/seed{seed}'
             for seed in (0, 1) for noise in ('sym20', 'sym50') for method in ('tcl', 'ce')]  # fmt: skip
    assert [str(job.folder) for job in jobs] == names
    noise = 'train_dataloader.dataset.noise'
    assert jobs[-1].options == [
        'randomness.seed=1',
        f'{noise}.seed=1',
        f'{noise}.rate=0.50',
        f'{noise}.type=SymmetricNoise',
    ]


def test_asymmetric_noise_has_the_mapping_of_the_data(tool):
    (job,) = plan(tool, ROOT / 'configs' / 'ce_r18_cifar10_sym50.py', '--noises', 'asym40')
    assert job.folder.parent.name == 'ce_r18_cifar10_asym40'
    assert [option.rsplit('.', 1)[1] for option in job.options[-2:]] == ['type=AsymmetricNoise', 'mapping=cifar10']


def test_a_second_stage_brings_its_first(tool):
    first, second = plan(tool, PLUS, '--seeds', '3', '--noises', 'sym50', '--work-dir', 'w')
    assert (first.config.name, str(first.folder)) == ('tcl_digits_sym80.py', 'w/tcl_digits_sym50/seed3')
    assert second.needs is first and second.options[-1] == 'load_from=w/tcl_digits_sym50/seed3/epoch_24.pth'
    # It is not trained twice where it is named as well.
    assert len(plan(tool, DIGITS, PLUS)) == 2


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['nowhere.py'], 'config nowhere.py does not exist'),
        ([DIGITS, '--noises', 'symmetric'], '--noises symmetric: must be sym or asym and two digits'),
        ([DIGITS, '--noises', 'asym40'], '--noises asym40: SklearnDigits has no mapping of similar classes'),
        ([DIGITS, '--jobs', '0'], '--jobs 0: must be 1 or more'),
        (['label_file.py', '--noises', 'sym50'], 'makes no noise that sym50 could take the place of'),
    ],
)
def test_refusals(tool, argv, message, workplace, capsys):
    (workplace / 'label_file.py').write_text(
        f'_base_ = {str(DIGITS)!r}\ntrain_dataloader = dict(dataset=dict(noise=None))'
    )
    assert tool.main([str(arg) for arg in argv]) == 2
    assert message in capsys.readouterr().err


@pytest.fixture(scope='module')
def swept(tmp_path_factory):
    """A sweep of four trainings, one of which cannot start, with its first stage."""
    folder = tmp_path_factory.mktemp('sweep')
    bad = folder / 'bad_digits_sym80.py'
    bad.write_text(f"_base_ = {str(CE)!r}\nmodel = dict(head=dict(type='NoSuchHead'))\n")
    # The second stage asks for the checkpoint of the first by its 24th epoch, which a training of one does not have.
    second = folder / 'tclplus_digits_sym80.py'
    second.write_text(f"_base_ = {str(PLUS)!r}\nload_from = 'work_dirs/tcl_digits_sym80/epoch_1.pth'\n")
    command = [sys.executable, str(ROOT / 'tools' / 'sweep.py'), str(second), str(CE), str(bad), '--work-dir', 'runs']
    command += ['--jobs', '2', '--cfg-options', *SHORT]
    return folder, command, subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_a_failure_is_told_and_holds_up_nothing_else(swept):
    folder, _, done = swept
    assert done.returncode == 2, done.stdout + done.stderr
    assert 'error: 1 of 4 trainings failed: runs/bad_digits_sym80/seed0' in done.stderr
    assert '4 of 4 trainings to do, 2 at a time' in done.stdout
    assert 'runs/bad_digits_sym80/seed0: failed after' in done.stdout and 'NoSuchHead' in done.stdout
    for name in ('tcl', 'ce', 'tclplus'):
        assert f'runs/{name}_digits_sym80/seed0: last ' in done.stdout
        assert f'| {name} | digits | sym80 | 0 | 1 |' in done.stdout
    assert 'NoSuchHead' in (folder / 'runs/bad_digits_sym80/seed0/train.out').read_text()


def test_what_has_been_trained_is_not_trained_again(swept, tool, monkeypatch, capsys):
    folder, command, _ = swept
    monkeypatch.chdir(folder)
    checkpoint = folder / 'runs/ce_digits_sym80/seed0/epoch_1.pth'
    before = checkpoint.stat().st_mtime_ns
    assert tool.main([arg for arg in command[2:] if 'bad' not in arg]) == 0
    out = capsys.readouterr().out
    assert '0 of 3 trainings to do' in out and '| tclplus | digits | sym80 | 0 | 1 |' in out
    assert checkpoint.stat().st_mtime_ns == before


def test_results_of_the_sweep(swept):
    folder, *_ = swept
    command = [sys.executable, str(ROOT / 'tools' / 'results.py'), 'runs', '--format', 'csv']
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = {row['method']: row for row in csv.DictReader(io.StringIO(done.stdout))}
    assert set(rows) == {'tcl', 'ce', 'tclplus'}
    for name, row in rows.items():
        assert (row['data'], row['noise'], row['seeds'], row['epochs']) == ('digits', 'sym80', '0', '1')
        assert float(row['last (%)']) <= float(row['best (%)']) <= 100 and float(row['time (s)']) >= 0
        assert row['command'].startswith('python') and f'--work-dir runs/{name}_digits_sym80/seed0' in row['command']
        assert 'thread' in row['device']


def test_no_results(workplace, capsys):
    results = load_file(ROOT / 'tools' / 'results.py')
    (workplace / 'empty').mkdir()
    assert results.main(['empty']) == 2
    assert 'empty is no work directory of a training' in capsys.readouterr().err
