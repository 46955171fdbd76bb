# SPDX-License-Identifier: Apache-2.0
"""An exported model predicts as the model does, from pixels as they are."""

import re

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain import get_model
from toolbox import ROOT, load_file
from toy_runs import classifier

LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='PackInputs')


@pytest.fixture(scope='module')
def export_tool():
    return load_file(ROOT / 'tools' / 'export_onnx.py')


def test_export(export_tool, trained, workplace, capsys, monkeypatch):
    for package, least in export_tool.LOWEST.items():
        pytest.importorskip(package, minversion=least)
    onnxruntime = pytest.importorskip('onnxruntime')
    assert export_tool.main([str(trained / 'epoch_2.pth'), '--out', 'new/model.onnx']) == 0
    out = capsys.readouterr().out
    assert 'images uint8 RGB (batch, 3, 12, 12) -> probabilities float32' in out
    assert float(re.search(r'largest difference to PyTorch: (\S+)', out)[1]) < 1e-5
    assert [path.name for path in (workplace / 'new').iterdir()] == ['model.onnx']
    session = onnxruntime.InferenceSession('new/model.onnx', providers=['CPUExecutionProvider'])
    images = np.random.RandomState(0).randint(256, size=(7, 3, 12, 12)).astype(np.uint8)
    (probs,) = session.run(['probabilities'], {'images': images})
    assert probs.shape == (7, 10) and probs.dtype == np.float32
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)
    # Had it come out wrong, the one of before would be there as it was.
    before = (workplace / 'new' / 'model.onnx').read_bytes()
    monkeypatch.setattr(export_tool, 'TOLERANCE', -1.0)
    assert export_tool.main([str(trained / 'epoch_2.pth'), '--out', 'new/model.onnx']) == 2
    assert 'what would be new/model.onnx differs from PyTorch by' in capsys.readouterr().err
    assert [path.name for path in (workplace / 'new').iterdir()] == ['model.onnx']
    assert (workplace / 'new' / 'model.onnx').read_bytes() == before


@pytest.mark.parametrize(('loads', 'to_rgb'), [(True, True), (True, False), (False, False)])
@torch.no_grad()
def test_takes_red_green_blue_whatever_the_network_takes(export_tool, loads, to_rgb):
    preprocessor = dict(mean=[10, 60, 110], std=[50, 60, 70], to_rgb=to_rgb)
    model = get_model(Config(dict(model=classifier(data_preprocessor=preprocessor))), pretrained=False)
    images = torch.randint(256, (3, 3, 8, 8), dtype=torch.uint8)
    as_loaded = images.flip(1) if loads else images
    expected = model.predict(model.data_preprocessor(dict(inputs=as_loaded))['inputs'])
    pipeline = [LOAD, PACK] if loads else [PACK]
    predictor = export_tool.Predictor(model, export_tool.sees_bgr(model, pipeline)).eval()
    torch.testing.assert_close(predictor(images), torch.stack([sample.pred_score for sample in expected]))


def test_size_of_images(export_tool):
    """From the pipeline, or else the views, or else the command line."""

    def shape(config, *size):
        cfg = Config.fromfile(ROOT / 'configs' / config)
        cfg.model.backbone = dict(type='PreActResNet', depth=18, base_channels=8)
        cfg.model.head.in_channels = 64
        return export_tool.find_shape(cfg, get_model(cfg, pretrained=False), size or None)

    assert shape('tcl_digits_sym80.py') == (3, 12, 12)
    assert shape('tcl_r18_cifar10_sym90.py') == (3, 32, 32)
    assert shape('tcl_r50_food101n.py') == (3, 224, 224)
    assert shape('tcl_r50_food101n.py', 96, 64) == (3, 96, 64)
    cfg = Config(dict(model=classifier(), val_dataloader=dict(dataset=dict(pipeline=[PACK]))))
    with pytest.raises(export_tool.UserError, match=r'nor the views have a size: name one by --size HEIGHT WIDTH'):
        export_tool.find_shape(cfg, get_model(cfg, pretrained=False))


def test_missing_packages(export_tool, workplace, capsys, monkeypatch):
    monkeypatch.setattr(export_tool, 'PACKAGES', ('numpy', 'no_such_package'))
    assert export_tool.main(['c.pth', '--out', 'm.onnx']) == 2
    assert 'the export needs no_such_package: pip install no_such_package' in capsys.readouterr().err


def test_packages_that_are_too_old(export_tool, workplace, capsys, monkeypatch):
    monkeypatch.setattr(export_tool, 'PACKAGES', ())
    monkeypatch.setattr(export_tool, 'LOWEST', dict(numpy='99.0'))
    assert export_tool.main(['c.pth', '--out', 'm.onnx']) == 2
    assert f'the export needs numpy 99.0 or later, this is {np.__version__}' in capsys.readouterr().err
