# SPDX-License-Identifier: Apache-2.0
"""Several processes on CPU, started as a person would."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.fileio import load
from rank_faults import MESSAGE
from toolbox import DIGITS, ROOT, STILL, logged, options

import tcl_plugin  # noqa: F401  lets torch.load read what mmengine writes
from tcl_plugin.checkpoints import find_whole_checkpoint
from tcl_plugin.evaluation import TABLE_NAME, read_label_table


@pytest.fixture
def run(workplace, clean_env):
    """Run one of the shell scripts from another folder than the checkout's."""

    def call(script, *argv):
        command = [str(ROOT / 'tools' / script), *[str(arg) for arg in argv]]
        # A config may name what lies beside these tests.
        path = os.pathsep.join([str(ROOT / 'tests'), clean_env.get('PYTHONPATH', '')])
        env = {**clean_env, 'PYTHON': sys.executable, 'PYTHONPATH': path}
        return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)

    return call


def test_four_processes_train_as_one_does_and_two_test(run, train_tool, workplace):
    """Batches of 8 are shared out, and the last of 20 samples has 4. In float32, sums differ in their last digits."""
    (workplace / 'still.py').write_text(STILL)
    work_dir = workplace / 'two words'
    flags = ['--cfg-options', 'train_dataloader.batch_size=2']
    result = run('dist_train.sh', 'still.py', 4, '--work-dir', work_dir, *flags)
    assert result.returncode == 0, result.stderr
    assert train_tool.main(['still.py', '--work-dir', 'one']) == 0
    assert sorted(path.name for path in work_dir.glob('*.pth')) == ['epoch_1.pth', 'epoch_2.pth']
    assert len(list(work_dir.glob('*/*.log'))) == len(list(work_dir.glob('*/vis_data'))) == 1
    (info,) = map(load, work_dir.glob('*/run.json'))
    assert info['processes'] == 4 and ' -m torch.distributed.run --nproc-per-node=4 ' in info['command']
    assert_same_weights(work_dir / 'epoch_2.pth', workplace / 'one' / 'epoch_2.pth')
    assert_same_table(work_dir / TABLE_NAME, workplace / 'one' / TABLE_NAME)

    flags = ['--out', workplace / 'metrics.json', '--out-item', 'metrics']
    result = run('dist_test.sh', 'still.py', work_dir / 'epoch_2.pth', 2, *flags)
    assert result.returncode == 0, result.stderr
    assert load(workplace / 'metrics.json')['accuracy/top1'] == pytest.approx(logged(work_dir, 'accuracy/top1'))


def assert_same_weights(path, other):
    found, expected = (torch.load(file, weights_only=True) for file in (path, other))
    assert found['state_dict'].keys() == expected['state_dict'].keys()
    assert found['meta']['iter'] == expected['meta']['iter'] == 6
    for name, value in expected['state_dict'].items():
        torch.testing.assert_close(found['state_dict'][name], value, rtol=0, atol=1e-4, msg=name)


def assert_same_table(path, other):
    found, expected = read_label_table(path), read_label_table(other)
    for name in ('sample_idx', 'given_label', 'true_label'):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name
    # Steep where two components meet, and of features in half precision.
    np.testing.assert_allclose(found.clean_prob, expected.clean_prob, rtol=0, atol=2e-3)


def test_error_of_the_process_that_dies_is_the_last_word(run, workplace):
    """The other one waits for it in the next step, and speaks one line."""
    fault = "dict(type='FailingRank', kind='raise', place='step')"
    (workplace / 'failing.py').write_text(f'{STILL}custom_hooks += [{fault}]\n')
    result = run('dist_train.sh', 'failing.py', 2, '--work-dir', 'w', '--cfg-options', 'train_dataloader.batch_size=4')
    assert result.returncode != 0
    said, report = result.stderr.split('Root Cause')
    assert said.count('[rank1]: Traceback') == 1 and f'[rank1]: ArithmeticError: {MESSAGE}' in said
    assert '[rank0]: Traceback' not in said
    # Rank 0 is ended by the launcher, having spoken or not.
    assert said.count('error: the connection to another process of this run was lost') <= 1
    assert 'rank      : 1 ' in report and f'ArithmeticError: {MESSAGE}' in report
    assert [path.name for path in (workplace / 'w').glob('*.pth')] == ['epoch_1.pth']
    assert find_whole_checkpoint('w').damaged == []
    assert len(read_label_table(workplace / 'w' / TABLE_NAME).sample_idx) == 20


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
