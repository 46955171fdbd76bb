# SPDX-License-Identifier: Apache-2.0
"""Two processes on CPU, started as a person would."""

import subprocess
import sys

import pytest
import torch
from mmengine.fileio import load
from toolbox import DIGITS, ROOT, logged, options

import tcl_plugin  # noqa: F401  lets torch.load read what mmengine writes


@pytest.fixture
def run(workplace, clean_env):
    """Run one of the shell scripts from another folder than the checkout's."""

    def call(script, *argv):
        command = [str(ROOT / 'tools' / script), *[str(arg) for arg in argv]]
        env = {**clean_env, 'PYTHON': sys.executable}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)

    return call


def test_two_processes_train_and_test(run, workplace):
    work_dir = workplace / 'two words'
    result = run('dist_train.sh', DIGITS, 2, '--work-dir', work_dir, *options('train_cfg.max_epochs=1'))
    assert result.returncode == 0, result.stderr
    assert [path.name for path in work_dir.glob('*.pth')] == ['epoch_1.pth']
    assert len(list(work_dir.glob('*/*.log'))) == 1
    state = torch.load(work_dir / 'epoch_1.pth', weights_only=True)['state_dict']
    assert not [key for key in state if key.startswith('module.')]

    flags = ['--out', workplace / 'metrics.json', '--out-item', 'metrics', *options()]
    result = run('dist_test.sh', DIGITS, work_dir / 'epoch_1.pth', 2, *flags)
    assert result.returncode == 0, result.stderr
    assert load(workplace / 'metrics.json')['accuracy/top1'] == pytest.approx(logged(work_dir, 'accuracy/top1'))


def test_one_process_speaks_for_both(run):
    result = run('dist_train.sh', DIGITS, 2, *options('model.head.type=Nonesuch'))
    assert result.returncode != 0
    complaints = [line for line in result.stderr.splitlines() if line.startswith('error:')]
    assert len(complaints) == 1 and 'Nonesuch' in complaints[0]


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh', 'slurm_train.sh', 'slurm_test.sh'])
def test_usage(run, script):
    result = run(script, 'config.py')
    assert (result.returncode, result.stdout) == (2, '')
    assert result.stderr.startswith('usage: ')


def test_slurm_scripts_hand_arguments_on(run, clean_env, workplace):
    """A stand-in for srun prints what it was given, one argument a line."""
    (workplace / 'srun').write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (workplace / 'srun').chmod(0o755)
    clean_env.update(PATH=f'{workplace}:{clean_env["PATH"]}', GPUS='2', SRUN_ARGS='--nodes 1')
    result = run('slurm_train.sh', 'part', 'job', 'my config.py', 'work', '--cfg-options', 'a=x y')
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert {'--ntasks=2', '--gres=gpu:2', '--nodes', 'my config.py', 'a=x y', str(ROOT / 'tools' / 'train.py')} <= set(
        lines
    )
    result = run('slurm_test.sh', 'part', 'job', 'my config.py', 'k.pth', '--tta')
    assert result.stdout.splitlines()[-5:] == ['my config.py', 'k.pth', '--launcher', 'slurm', '--tta']
