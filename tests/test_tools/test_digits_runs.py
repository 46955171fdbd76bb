# SPDX-License-Identifier: Apache-2.0
"""Every method trains on the digits with its own hooks, past its warm-up, and leaves what tables are made of."""

import pytest
from config_steps import value_at
from mmengine.config import Config
from toolbox import ROOT, options

from tcl_plugin.evaluation import TABLE_NAME, read_label_table
from tcl_plugin.reports import read_record, read_run

CONFIGS = ROOT / 'configs'
NAMES = sorted(path.stem for kind in ('variants', 'peers') for path in (CONFIGS / kind).glob('*_digits_sym80.py'))
# Epochs after which the methods begin to do what is their own.
BEGINNINGS = ('model.head.warmup_epochs', 'model.bootstrap_epoch', 'custom_hooks.1.warmup_epochs')


def test_all_are_here():
    assert len(NAMES) == 17


@pytest.mark.parametrize('name', NAMES)
def test_trains(name, train_tool, trained, workplace):
    (path,) = CONFIGS.glob(f'*/{name}.py')
    cfg = Config.fromfile(path)
    early = [f'{key}=1' for key in BEGINNINGS if value_at(cfg, key) not in (None, cfg.train_cfg.max_epochs)]
    first_stage = [f'load_from={trained}/epoch_2.pth'] if cfg.get('load_from') else []
    argv = [str(path), '--work-dir', 'w', *options(f'experiment_name={name}', *early, *first_stage)]
    assert train_tool.main(argv) == 0
    run, record = read_run('w'), read_record('w')
    assert run.finished and 0 <= run.last <= 100 and 0 < run.noise_rate < 1
    assert all(value == value and abs(value) < 1e4 for losses in record.losses.values() for value in losses.values())
    assert set(record.losses['loss']) == {1, 2}
    detector = cfg.custom_hooks[-1 if name.startswith('tclplus') else 0].get('detector')
    assert ('label_noise/auc' in record.scalars) == bool(detector) == (workplace / 'w' / TABLE_NAME).exists()
    if detector:
        table = read_label_table(workplace / 'w' / TABLE_NAME)
        assert len(table) == 64 and table.clean_prob.min() < table.clean_prob.max()
