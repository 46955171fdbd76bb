# SPDX-License-Identifier: Apache-2.0
"""Large data stay within memory, and long runs do not grow."""

import json
import subprocess
import sys

import pytest
from toolbox import ROOT, load_file
from toy_runs import build_runner, hook, noisy_digits, tcl

from tcl_plugin.benchmark.endurance import ResourceWatch

TOOL = ROOT / 'tools' / 'benchmark_endurance.py'


@pytest.fixture(scope='module')
def tool():
    return load_file(TOOL)


def test_a_run_holds_no_more_at_its_end(tmp_path):
    """Files and threads stay the same from the third epoch on, and memory all but so."""
    watch = ResourceWatch()
    saving = dict(checkpoint=dict(type='CheckpointHook', interval=1, max_keep_ckpts=2))
    hooks = (hook(), dict(type='BadNumbersHook'))
    runner = build_runner(tmp_path, tcl(), noisy_digits(16), *hooks, max_epochs=20, default_hooks=saving)
    runner.register_hook(watch, priority='LOWEST')
    runner.train()
    epochs = watch.epochs
    assert len(epochs) == 20
    for name in ('files', 'threads'):
        assert len({epoch[name] for epoch in epochs[2:]}) == 1
    assert epochs[-1]['memory_mib'] - epochs[8]['memory_mib'] < 16


def test_large_data_in_a_process_of_its_own():
    """A fiftieth of a million: 10 MiB of representations, and little else beside the libraries."""
    command = [sys.executable, str(TOOL), '--samples', '20000']
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found['accuracy'] > 0.9 and found['table_mib'] > 1.5
    assert found['peak_mib'] < 1000


def test_too_little(tool, capsys):
    assert tool.main(['--samples', '10']) == 2
    assert '--samples must be 100 or more' in capsys.readouterr().err
