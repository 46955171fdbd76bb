# SPDX-License-Identifier: Apache-2.0
"""Whatever opens a file of somebody else runs nothing that is in it, and leads nowhere."""

import csv
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_files import Touch, write_pickle
from mmpretrain import ImageClassificationInferencer
from mmpretrain.registry import MODELS
from PIL import Image
from toolbox import DIGITS, ROOT, load_file, options
from toy_runs import classifier

from tcl_plugin.reports.tables import to_csv

CALL = 'touch trace'
# torch's words, or ours.
REFUSAL = r'Weights only load failed|weights_only|checkpoint .*evil.pth'


@pytest.fixture(scope='module')
def tools():
    names = ('predict', 'export_onnx', 'audit_labels', 'plot', 'results')
    return {name: load_file(ROOT / 'tools' / f'{name}.py') for name in names}


@pytest.fixture
def evil(workplace):
    """A checkpoint that makes a file when it is unpickled."""
    torch.save(dict(state_dict={}, meta={}, extra=Touch(workplace / 'trace')), 'evil.pth')
    return workplace / 'evil.pth'


def refused(tool, capsys, *argv) -> str:
    assert tool.main([str(word) for word in argv]) == 2
    assert not Path('trace').exists(), 'code has run'
    return capsys.readouterr().err


def test_that_the_checkpoint_is_hostile(evil, workplace):
    torch.load(evil, weights_only=False)
    assert (workplace / 'trace').exists()


@pytest.mark.parametrize('flags', [['--resume', 'evil.pth'], ['--cfg-options', 'load_from=evil.pth']])
def test_train(train_tool, toy, evil, capsys, flags):
    assert 'checkpoint evil.pth: ' in refused(train_tool, capsys, toy, *flags)


def test_test(test_tool, toy, evil, capsys):
    assert 'checkpoint evil.pth: ' in refused(test_tool, capsys, toy, evil.name)


@pytest.mark.parametrize('config', [[], ['--config', DIGITS]])
def test_predict(tools, evil, capsys, config):
    Image.new('RGB', (8, 8)).save('image.png')
    assert 'checkpoint evil.pth: ' in refused(tools['predict'], capsys, evil.name, 'image.png', *config)
    assert not Path('predictions.csv').exists()


def test_predict_from_a_plain_pickle(tools, workplace, capsys):
    write_pickle(workplace / 'evil.pth', workplace / 'trace')
    assert 'checkpoint evil.pth: ' in refused(tools['predict'], capsys, 'evil.pth', 'evil.pth')


def test_export(tools, evil, capsys):
    assert 'checkpoint evil.pth: ' in refused(tools['export_onnx'], capsys, evil.name, '--out', 'model.onnx')


def test_plot(tools, trained, evil, capsys):
    """A run whose last checkpoint has been replaced."""
    Path('run').mkdir()
    (config,) = trained.glob('*.py')
    (Path('run') / config.name).write_text(config.read_text())
    Path('run', 'last_checkpoint').write_text(str(evil))
    argv = ('run', '--kind', 'confusion', '--out', 'confusion.png', '--device', 'cpu')
    assert f'checkpoint {evil}: ' in refused(tools['plot'], capsys, *argv)


def test_inferencer(trained, evil):
    with pytest.raises((pickle.UnpicklingError, RuntimeError), match=REFUSAL):
        ImageClassificationInferencer(str(trained / DIGITS.name), str(evil), device='cpu')
    assert not Path('trace').exists()


def test_pretrained_weights_in_a_config(evil):
    pretrained = dict(type='Pretrained', checkpoint=str(evil))
    backbone = dict(type='ResNet_CIFAR', depth=18, base_channels=2, stem_channels=2, init_cfg=pretrained)
    model = MODELS.build(classifier(backbone=backbone))
    with pytest.raises((pickle.UnpicklingError, RuntimeError), match=REFUSAL):
        model.init_weights()
    assert not Path('trace').exists()


@pytest.mark.parametrize(
    'lines',
    [
        "import os\nos.system('touch trace')\n",
        f"custom_hooks[0] = dict(type='LabelNoiseHook', detector=dict(type='os.system', command={CALL!r}))\n",
        f"custom_hooks = [dict(type='LabelNoiseHook', detector=dict(type='os.system', command={CALL!r}))]\n",
        f"train_dataloader = dict(dataset=dict(type='os.system', command={CALL!r}))\n",
    ],
    ids=['code', 'assignment', 'detector', 'dataset'],
)
@pytest.mark.parametrize(
    ('tool', 'flags'),
    [
        ('plot', ['--kind', 'histogram', '--out', 'scores.png']),
        ('plot', ['--kind', 'tsne', '--out', 'tsne.png']),
        ('audit_labels', []),
        ('results', ['--unfinished']),
    ],
)
def test_work_directory(tools, trained, workplace, capsys, tool, flags, lines):
    """A run to whose config a stranger has added some lines."""
    run = Path('run')
    kept = (trained / 'label_quality.csv', trained / 'epoch_2.pth', *trained.glob('*/vis_data/scalars.json'))
    for path in kept:
        target = run / path.relative_to(trained)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (run / DIGITS.name).write_text((trained / DIGITS.name).read_text() + lines)
    (run / 'last_checkpoint').write_text(str(run / 'epoch_2.pth'))
    code = tools[tool].main(['run', *flags])
    assert not Path('trace').exists(), 'code has run'
    # A table of results builds nothing: it is made where the config can be read.
    only_read = tool == 'results' and not lines.startswith(('import', 'custom_hooks[0]'))
    error = capsys.readouterr().err
    assert code == (0 if only_read else 2), error
    literal = lines.startswith(('custom_hooks = ', 'train_dataloader'))
    assert only_read or ('which is no registered part' if literal else 'is not as mmengine writes it') in error


# What is written is safe in a spreadsheet


def test_cells_of_predictions(tools):
    row = tools['predict'].to_row(Path('=cmd()/1.png'), torch.tensor([0.1, 0.9]), ['@a', '-b'], 2)
    assert row == ["'=cmd()/1.png", "'-b", '0.9', "'@a", '0.1']


def test_cells_of_results(workplace):
    rows = [['method', 'data'], ['=1+1', '+a'], ['plain', '78.1 ± 0.2']]
    Path('results.csv').write_text(to_csv(rows))
    with open('results.csv', newline='') as file:
        assert list(csv.reader(file)) == [['method', 'data'], ["'=1+1", "'+a"], ['plain', '78.1 ± 0.2']]


def test_names_of_files_that_are_not_utf_8(tools, trained, workplace, capsys):
    """They are written as they are on disk."""
    name = b'caf\xe9.png'
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(workplace / 'image.png')
    Path('images').mkdir()
    (workplace / 'image.png').rename(Path('images') / os.fsdecode(name))
    assert tools['predict'].main([str(trained / 'epoch_2.pth'), 'images', '--device', 'cpu']) == 0
    assert b'images/' + name in Path('predictions.csv').read_bytes()


@pytest.mark.parametrize('name', ['labels.csv', 'labels.json'])
def test_training_with_such_a_label_file(train_tool, workplace, capsys, name):
    """A pickle under the name of a text."""
    write_pickle(workplace / name, workplace / 'trace')
    flags = ['train_dataloader.dataset.noise=None', f'train_dataloader.dataset.label_file={name}']
    line = refused(train_tool, capsys, DIGITS, '--work-dir', 'w', *options(f'experiment_name={name}', *flags))
    assert f'label file {name}' in line
