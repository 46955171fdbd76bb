# SPDX-License-Identifier: Apache-2.0
"""From config to tested checkpoint, with whichever framework comes first on the path.

``make test-onedl`` runs this file.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import mmengine
import mmpretrain
import pytest
from mmengine.fileio import load
from toolbox import DIGITS, ROOT, logged, options

pytestmark = pytest.mark.smoke


@pytest.mark.skipif('ONEDL_DIR' not in os.environ, reason='set by make test-onedl')
def test_framework_is_the_one_asked_for():
    for module in (mmengine, mmpretrain):
        assert Path(module.__file__).is_relative_to(os.environ['ONEDL_DIR'])


def test_train_resume_test(train_tool, test_tool, workplace):
    # mmengine tells the runs of one process apart by name and second.
    assert train_tool.main([str(DIGITS), '--work-dir', 'w', *options('experiment_name=first')]) == 0
    assert Path('w/last_checkpoint').read_text().endswith('epoch_2.pth')
    more = options('experiment_name=second', 'train_cfg.max_epochs=3')
    assert train_tool.main([str(DIGITS), '--work-dir', 'w', '--resume', *more]) == 0
    assert Path('w/last_checkpoint').read_text().endswith('epoch_3.pth')
    flags = ['--work-dir', 't', '--out', 'metrics.json', '--out-item', 'metrics', *options('experiment_name=third')]
    assert test_tool.main([str(DIGITS), 'w/epoch_3.pth', *flags]) == 0
    assert load('metrics.json')['accuracy/top1'] == pytest.approx(logged('w', 'accuracy/top1'))


def kill_in_epoch(command, epoch, env):
    """Start a training and kill it, as if the power failed, once it has logged an iteration of an epoch."""
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with process:
        for line in process.stdout:
            if f'Epoch(train) [{epoch}][' in line:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    return line


def test_resume_after_a_kill(train_tool, workplace, clean_env):
    flags = [str(DIGITS), '--work-dir', 'w']
    # Small batches: the epoch must be long enough to be killed in.
    small = options('train_dataloader.batch_size=4', 'train_dataloader.dataset.dataset.indices=200')
    command = [sys.executable, str(ROOT / 'tools' / 'train.py'), *flags, *small]
    line = kill_in_epoch(command, 2, clean_env)
    assert Path('w/last_checkpoint').read_text().endswith('epoch_1.pth'), line
    assert not Path('w/epoch_2.pth').exists()
    assert train_tool.main([*flags, '--resume', *small]) == 0
    assert 'resumed epoch: 1, iter: 50' in max(Path('w').glob('*/*.log')).read_text()
    assert logged('w', 'epoch') == 2 and Path('w/epoch_2.pth').exists()
