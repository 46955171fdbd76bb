# SPDX-License-Identifier: Apache-2.0
"""Checkpoints bring their config, and nothing of it is run; weights that do not fit are refused."""

import argparse
import os
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpretrain.datasets import remove_transform
from toy_runs import classifier

from tcl_plugin import compat
from tcl_plugin.foreign_config import TRUST_VARIABLE
from tcl_plugin.reports import read_config
from tcl_plugin.saved_model import (
    build_model,
    config_of,
    find_pipeline,
    loads_bgr,
    new_model,
    open_model,
    parse_config,
    plain_model_config,
    read_checkpoint,
    sees_bgr,
)

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
LOAD = dict(type='LoadImageFromFile')
HEAD = dict(type='LinearClsHead', num_classes=2, in_channels=16)


@pytest.mark.parametrize('name', ['tcl_digits_sym80', 'tcl_r50_folder', 'tcl_r18_cifar10_sym30_open30'])
def test_text_of_a_config_comes_back(name):
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    cfg.model.other = {'not a name': [(1, -2.5e-3), None, dict(a='b')], '1': ()}
    assert parse_config(cfg.pretty_text) == cfg.to_dict()


@pytest.mark.parametrize(
    'text',
    ["__import__('os').mkdir('made')", "a = __import__('os').mkdir('made')", "a = dict(b=print('c'))", 'a.b = 1'],
)
def test_code_in_a_checkpoint_is_not_run(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r'the config in checkpoint x.pth cannot be read \(line 1 .*--config'):
        config_of(dict(meta=dict(cfg=text)), 'x.pth')
    assert not list(tmp_path.iterdir()) and not capsys.readouterr().out


def test_a_checkpoint_does_not_choose_what_is_imported(tmp_path, monkeypatch):
    (tmp_path / 'planted.py').write_text("open('made', 'w')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    text = "custom_imports = dict(imports=['tcl_plugin', 'planted'], allow_failed_imports=False)"
    with pytest.raises(ValueError, match='would import planted, and must not choose what code is run'):
        config_of(dict(meta=dict(cfg=text)), 'x.pth')
    assert not (tmp_path / 'made').exists()


def test_no_config():
    with pytest.raises(ValueError, match=r'checkpoint x.pth has no config in its meta'):
        config_of(dict(state_dict={}), 'x.pth')


PURE = """
from mmpretrain.datasets import CustomDataset, LoadImageFromFile, PackInputs, Resize
from mmpretrain.models import GlobalAveragePooling, ImageClassifier, LinearClsHead

from tcl_plugin.models import PreActResNet

model = dict(
    type=ImageClassifier,
    backbone=dict(type=PreActResNet, depth=18, base_channels=2),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=2, in_channels=16),
)
pipeline = [dict(type=LoadImageFromFile), dict(type=Resize, scale=(12, 8)), dict(type=PackInputs)]
test_dataloader = dict(batch_size=2, num_workers=0, dataset=dict(type=CustomDataset, data_root='x', pipeline=pipeline))
train_cfg = dict(max_epochs=1)
train_dataloader = test_dataloader
"""


@pytest.mark.parametrize('named', [True, False])
def test_pure_python_configs(named, tmp_path, monkeypatch):
    """Their classes, and the paths that mmengine writes down in their stead, are names afterwards."""
    monkeypatch.delenv(TRUST_VARIABLE, raising=False)
    (tmp_path / 'pure.py').write_text(PURE)
    written = Config.fromfile(tmp_path / 'pure.py').pretty_text
    assert "type='mmpretrain.models.ImageClassifier'" in written
    torch.manual_seed(0)
    weights = new_model(Config(dict(model=classifier(head=HEAD)))).state_dict()
    torch.save(dict(state_dict=weights, meta=dict(cfg=written)), tmp_path / 'pure.pth')
    config = str(tmp_path / 'pure.py') if named else None
    args = argparse.Namespace(checkpoint=str(tmp_path / 'pure.pth'), config=config, cfg_options=None, device='cpu')
    cfg, model = open_model(args)
    assert cfg.model.type == 'ImageClassifier' and model.head.fc.out_features == 2
    pipeline = find_pipeline(cfg)
    assert loads_bgr(pipeline) and [step.type for step in pipeline] == ['LoadImageFromFile', 'Resize', 'PackInputs']
    assert [step.type for step in remove_transform(pipeline, 'LoadImageFromFile')] == ['Resize', 'PackInputs']
    (tmp_path / 'pure.py').write_text(written)
    assert read_config(tmp_path)[1].train_dataloader.dataset.type == 'CustomDataset'


def test_weights_must_fit(tmp_path):
    cfg = Config(dict(model=classifier(), test_dataloader=None))
    torch.manual_seed(0)
    weights = new_model(cfg).state_dict()
    torch.save({f'module.{name}': value for name, value in weights.items()}, tmp_path / 'bare.pth')
    again = build_model(cfg, read_checkpoint(tmp_path / 'bare.pth'))
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in weights.items())
    weights.pop('head.fc.bias')
    with pytest.raises(ValueError, match=r'(?s)checkpoint y.pth does not fit the config.*head.fc.bias'):
        build_model(cfg, dict(state_dict=weights), path='y.pth')


def test_parts_of_a_model_load_their_own_weights_safely(monkeypatch):
    """Those that ask torch itself, and not mmengine."""
    seen = []
    monkeypatch.delenv(compat.FORCE_SAFE, raising=False)
    monkeypatch.setattr('tcl_plugin.saved_model.get_model', lambda *args, **kwargs: seen.append(os.environ.copy()))
    new_model(Config(dict(model=classifier())))
    assert seen[0][compat.FORCE_SAFE] == '1' and compat.FORCE_SAFE not in os.environ


def test_networks_of_timm_fetch_nothing(monkeypatch):
    seen = []
    monkeypatch.setattr('tcl_plugin.saved_model.get_model', lambda cfg, **kwargs: seen.append(cfg.model))
    cfg = Config(dict(model=dict(type='TCL', backbone=dict(type='mmpretrain.TIMMBackbone', pretrained=True))))
    new_model(cfg)
    assert not seen[0].backbone.pretrained and cfg.model.backbone.pretrained


def test_order_of_channels():
    files = Config.fromfile(CONFIGS / 'tcl_r50_food101n.py')
    digits = Config.fromfile(CONFIGS / 'tcl_digits_sym80.py')
    assert loads_bgr(files.train_dataloader.dataset) and not loads_bgr(digits.train_dataloader.dataset)
    model = new_model(Config(dict(model=classifier())))
    assert sees_bgr(model, find_pipeline(files)) and not sees_bgr(model, find_pipeline(digits))
    model.data_preprocessor.to_rgb = True
    assert not sees_bgr(model, [LOAD])


def test_what_makes_it_fast_is_switched_off_in_a_copy():
    cfg = Config(dict(model=dict(bfloat16=True, compile=True)))
    assert not any(plain_model_config(cfg).model.values()) and all(cfg.model.values())
    assert plain_model_config(cfg, 'compile').model == dict(bfloat16=True, compile=False)


def test_no_pipeline():
    with pytest.raises(ValueError, match='no pipeline in test_dataloader or val_dataloader'):
        find_pipeline(Config(dict(test_dataloader=None)))
