# SPDX-License-Identifier: Apache-2.0
"""Any registered backbone takes PreActResNet's place by config alone: it trains, and its checkpoint loads."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpretrain.registry import MODELS

from tcl_plugin.cli import BUILDING
from tcl_plugin.errors import UserError, explained

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def test_a_network_that_timm_does_not_know():
    pytest.importorskip('timm')
    with pytest.raises(UserError, match="timm has no network 'resnet10': check the spelling"), explained(*BUILDING):
        MODELS.build(dict(type='mmpretrain.TIMMBackbone', model_name='resnet10'))


@pytest.mark.parametrize('backbone', ['resnetcifar18', 'vit', 'convnext'])
def test_backbone_trains(backbone, tmp_path):
    cfg = Config.fromfile(CONFIGS / f'tcl_{backbone}_digits_sym80.py')
    cfg.merge_from_dict(
        {
            'work_dir': str(tmp_path),
            'experiment_name': f'backbone_{backbone}',
            'train_dataloader.batch_size': 16,
            'train_dataloader.num_workers': 0,
            'train_dataloader.dataset.dataset.indices': 48,
            'val_dataloader.dataset.indices': 20,
            'train_cfg.max_epochs': 2,
            'model.head.warmup_epochs': 1,
            'default_hooks.logger.interval': 1,
        }
    )
    runner = Runner.from_cfg(cfg)
    start = {name: value.clone() for name, value in runner.model.backbone.named_parameters() if value.ndim > 1}
    runner.train()

    lines = [json.loads(line) for line in next(tmp_path.glob('*/vis_data/scalars.json')).read_text().splitlines()]
    losses = [line for line in lines if 'loss' in line]
    assert [line['epoch'] for line in losses] == [1, 1, 1, 2, 2, 2]
    names = {name for line in losses for name in line if name.startswith('loss_')}
    assert names == {'loss_cross', 'loss_contrast', 'loss_entropy', 'loss_align_cls', 'loss_align_proto'}
    assert all(torch.tensor(line[name]).isfinite() for line in losses for name in names)
    assert (tmp_path / 'label_quality.csv').exists()

    state = torch.load(tmp_path / 'epoch_2.pth', weights_only=True)['state_dict']
    assert state.keys() == runner.model.state_dict().keys()
    unmoved = [name for name, value in start.items() if torch.equal(state[f'backbone.{name}'], value)]
    assert not unmoved
