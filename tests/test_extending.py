# SPDX-License-Identifier: Apache-2.0
"""The code on docs/extending.md does what the page says, exactly as it is written there."""

import importlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, MODELS, TASK_UTILS
from PIL import Image
from test_tools.toolbox import load_file, options

from tcl_plugin.evaluation import read_label_table

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r'^```python\n(# ([\w.]+\.py|in a config)\n.*?)^```', re.MULTILINE | re.DOTALL)
REGISTRIES = (DATASETS, MODELS, TASK_UTILS)


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with the files of the page beside the configs, as in the root of a checkout; forgotten afterwards."""
    for code, name in BLOCK.findall((ROOT / 'docs' / 'extending.md').read_text(encoding='utf-8')):
        (tmp_path / (name if name.endswith('.py') else 'in_a_config.py')).write_text(code)
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv('LOCAL_RANK', '0')
    modules, tables = set(sys.modules), [dict(registry._module_dict) for registry in REGISTRIES]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield tmp_path
    for name in set(sys.modules) - modules:
        if (tmp_path / f'{name}.py').is_file():
            del sys.modules[name]
    for registry, table in zip(REGISTRIES, tables, strict=True):
        registry._module_dict.clear()
        registry._module_dict.update(table)


def test_a_detector_in_30_lines(checkout, monkeypatch):
    """Trained by the command of the page, cut short, and drawn by a tool that has not met it before."""
    assert len((checkout / 'margin_detector.py').read_text().splitlines()) <= 30
    train = load_file(ROOT / 'tools' / 'train.py')
    assert train.main(['tclmargin_digits_sym80.py', *options('experiment_name=extending')]) == 0
    table = read_label_table(checkout / 'work_dirs' / 'tclmargin_digits_sym80' / 'label_quality.csv')
    margin = 2 * table.score - 1
    agrees = table.given_label == table.predicted_label
    assert 0 < agrees.sum() < len(table) and ((margin > 0) == agrees).all()
    # Ahead by what is left of the probability at least, and by no more than all of it.
    assert (margin[agrees] >= 2 * table.predicted_prob[agrees] - 1 - 1e-4).all()
    assert (margin[agrees] <= table.predicted_prob[agrees] + 1e-4).all()
    del sys.modules['margin_detector'], TASK_UTILS._module_dict['MarginDetector']
    monkeypatch.setenv('TCL_TRUST_CONFIG', '1')
    argv = ['work_dirs/tclmargin_digits_sym80', '--kind', 'histogram', '--out', 'margins.svg']
    assert load_file(ROOT / 'tools' / 'plot.py').main(argv) == 0


def test_a_loss(checkout):
    cfg = Config.fromfile('bootstrapped_digits_sym80.py')
    head = MODELS.build(cfg.model.head)
    logits, labels = torch.tensor([[1.0, 0.0, -1.0]]), torch.tensor([1])
    p = logits.softmax(dim=1)[0]
    expected = -(0.8 * p[1].log() + 0.2 * (p * p.log()).sum())
    torch.testing.assert_close(head.loss_module(logits, labels), expected)
    assert type(head).__name__ == 'LinearClsHead'


def test_a_noise_generator(checkout):
    cfg = Config.fromfile('tcl_digits_dustbin30.py')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    changed = dataset.given_labels != dataset.true_labels
    assert (dataset.given_labels[changed] == 8).all()
    # Of the third that is chosen, a tenth has that class already.
    assert changed.mean() == pytest.approx(0.27, abs=0.01)
    assert dataset.source.noise.expected_rate(dataset.true_labels, 10) == pytest.approx(changed.mean(), abs=0.01)


def test_a_data_set(checkout):
    folder = checkout / 'data' / 'named'
    folder.mkdir(parents=True)
    for name in ('dog_2', 'cat_7', 'dog_1'):
        Image.new('RGB', (4, 4)).save(folder / f'{name}.png')
    importlib.import_module('named_images')
    dataset = DATASETS.build(Config.fromfile('in_a_config.py').dataset)
    assert dataset.given_labels.tolist() == [0, 1, 1] and dataset.num_classes == 2
    assert np.shape(dataset[0]['img']) == (4, 4, 3)


def test_another_network(checkout):
    cfg = Config.fromfile('tcl_r34_cifar10_sym90.py')
    backbone = MODELS.build(cfg.model.backbone)
    backbone.eval()  # returns nothing in mmpretrain
    (features,) = backbone(torch.zeros(1, 3, 32, 32))
    assert type(backbone).__name__ == 'ResNet_CIFAR' and features.shape[1] == cfg.model.head.in_channels == 512
