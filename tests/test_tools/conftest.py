# SPDX-License-Identifier: Apache-2.0
"""What all tests of the tools need."""

import os

import pytest
from toolbox import DIGITS, ROOT, TOY, load_file, options


@pytest.fixture(scope='session')
def train_tool():
    return load_file(ROOT / 'tools' / 'train.py')


@pytest.fixture(scope='session')
def test_tool():
    return load_file(ROOT / 'tools' / 'test.py')


@pytest.fixture(scope='session')
def trained(train_tool, tmp_path_factory):
    """Work directory of a tiny training on the digits. Tests must leave it as it is."""
    work_dir = tmp_path_factory.mktemp('trained')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('LOCAL_RANK', '0')
        argv = [str(DIGITS), '--work-dir', str(work_dir), *options('experiment_name=trained')]
        assert train_tool.main(argv) == 0
    return work_dir


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty folder to run a tool in, with nothing of a launcher in the environment."""
    monkeypatch.chdir(tmp_path)
    # Given beforehand, so that what the tool sets is undone afterwards.
    monkeypatch.setenv('LOCAL_RANK', '0')
    for name in ('RANK', 'WORLD_SIZE', 'SLURM_PROCID', 'TCL_TRACEBACK'):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def toy(workplace):
    """Path of the small config, in the folder that the test runs in."""
    path = workplace / 'toy.py'
    path.write_text(TOY)
    return path


@pytest.fixture
def clean_env():
    """The environment of a person: no package path, nothing of a launcher; two processes share two cores."""
    dropped = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT', 'TCL_TRACEBACK')
    env = {key: value for key, value in os.environ.items() if key not in dropped}
    env['OMP_NUM_THREADS'] = '1'
    return env
