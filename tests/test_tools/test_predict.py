# SPDX-License-Identifier: Apache-2.0
"""A folder of images becomes a table, whatever is broken in it."""

import csv

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from toolbox import DIGITS, ROOT, load_file

from tcl_plugin.datasets import SklearnDigits

NUM_IMAGES = 20


@pytest.fixture(scope='module')
def predict_tool():
    return load_file(ROOT / 'tools' / 'predict.py')


@pytest.fixture(scope='module')
def infos():
    dataset = SklearnDigits(split='test', indices=NUM_IMAGES)
    return [dataset.get_data_info(i) for i in range(NUM_IMAGES)]


@pytest.fixture
def images(infos, workplace):
    """A folder of images, half of them in a subfolder."""
    (workplace / 'images' / 'sub').mkdir(parents=True)
    for i, info in enumerate(infos):
        Image.fromarray(info['img']).save(workplace / 'images' / ('sub' if i % 2 else '') / f'{i:02d}.PNG')
    (workplace / 'images' / 'notes.txt').write_text('no image')
    return workplace / 'images'


def test_links_to_folders_are_not_followed(predict_tool, images):
    """They could lead anywhere, or round in a circle; those to images are followed."""
    (images / 'round').symlink_to(images)
    (images / 'link.png').symlink_to(images / '00.PNG')
    found = predict_tool.find_images('images')
    assert len(found) == NUM_IMAGES + 1 and not [path for path in found if 'round' in path.parts]


def test_what_systems_leave_is_passed_over(predict_tool, images):
    for name in ('._00.PNG', '.hidden/01.PNG', '__MACOSX/02.PNG', '@eaDir/03.PNG'):
        (images / name).parent.mkdir(exist_ok=True)
        (images / name).write_text('no image')
    assert len(predict_tool.find_images('images')) == NUM_IMAGES


def read_table(path):
    with path.open(newline='') as file:
        return list(csv.DictReader(file))


def test_a_folder(predict_tool, trained, images, infos, workplace, capsys):
    from mmpretrain import ImageClassificationInferencer

    argv = [str(trained / 'epoch_2.pth'), 'images', '--batch-size', '8', '--device', 'cpu']
    assert predict_tool.main(argv) == 0
    assert capsys.readouterr().out.strip().splitlines()[-1] == 'predictions.csv: 20 images'
    rows = read_table(workplace / 'predictions.csv')
    assert [row['path'] for row in rows] == sorted(row['path'] for row in rows) and len(rows) == NUM_IMAGES
    inferencer = ImageClassificationInferencer(str(trained / DIGITS.name), str(trained / 'epoch_2.pth'), device='cpu')
    expected = inferencer([info['img'] for info in infos])
    for row in rows:
        result = expected[int(row['path'][-6:-4])]
        assert row['class'] == result['pred_class']
        assert float(row['probability']) == pytest.approx(result['pred_score'], rel=1e-4)
        order = np.argsort(-result['pred_scores'])
        assert float(row['probability_5']) == pytest.approx(result['pred_scores'][order[4]], rel=1e-4)
    assert not list(workplace.glob('predictions.csv.*'))


def test_broken_images_are_named_and_left_out(predict_tool, trained, images, workplace, capsys):
    (images / 'broken.png').write_bytes(b'nonsense')
    whole = (images / '00.PNG').read_bytes()
    (images / 'cut.png').write_bytes(whole[: len(whole) // 2])
    (images / 'cut.ppm').write_bytes(b'P6\n20 2')
    assert predict_tool.main([str(trained / 'epoch_2.pth'), str(images), '--out', 'new/p.csv']) == 1
    captured = capsys.readouterr()
    assert all(f'{name} cannot be read' in captured.err for name in ('broken.png', 'cut.png', 'cut.ppm'))
    assert 'new/p.csv: 20 images, 3 left out' in captured.out
    assert len(read_table(workplace / 'new' / 'p.csv')) == NUM_IMAGES


def test_a_long_text_beside_an_image_is_no_reason_to_leave_it_out(predict_tool, tmp_path):
    texts = PngInfo()
    texts.add_itxt('XML:com.adobe.xmp', 'x' * 2_000_000, zip=True)
    Image.new('RGB', (2, 3), (255, 0, 0)).save(tmp_path / 'long.png', pnginfo=texts)
    assert predict_tool.Reader([])(tmp_path / 'long.png').shape == (3, 2, 3)


def test_a_terminal_shows_progress_and_what_is_left_out(predict_tool, trained, images, terminal, capsys):
    (images / 'broken.png').write_bytes(b'nonsense')
    with terminal:
        assert predict_tool.main([str(trained / 'epoch_2.pth'), str(images), '--batch-size', '4']) == 1
    assert 'batches of images' in terminal.seen and '5/6' in terminal.seen
    assert len(terminal.screen) == 1 and terminal.screen[0].startswith('left out: ')
    assert capsys.readouterr().out.splitlines()[-1] == 'predictions.csv: 20 images, 1 left out'


def test_channels_are_read_in_the_order_of_the_pipeline(predict_tool, tmp_path):
    Image.new('RGB', (2, 2), (255, 0, 0)).save(tmp_path / 'red.png')
    pack = dict(type='PackInputs')
    assert predict_tool.Reader([pack])(tmp_path / 'red.png')[0, 0].tolist() == [255, 0, 0]
    load = dict(type='LoadImageFromFile')
    assert predict_tool.Reader([load, pack])(tmp_path / 'red.png')[0, 0].tolist() == [0, 0, 255]


def test_images_of_different_sizes(predict_tool, trained, images, workplace, capsys, monkeypatch):
    """Where the pipeline resizes none, as that of CIFAR; the network takes any size."""
    monkeypatch.setattr(predict_tool, 'find_pipeline', lambda cfg: [dict(type='PackInputs')])
    Image.new('RGB', (20, 16)).save(images / 'large.png')
    argv = [str(trained / 'epoch_2.pth'), 'images', '--device', 'cpu']
    assert predict_tool.main(argv) == 2
    assert 'error: images of different sizes are no batch' in capsys.readouterr().err
    assert predict_tool.main([*argv, '--batch-size', '1']) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if 'go through as they are' in line]
    assert told == [
        'images of 8 x 8 pixels go through as they are, for the pipeline of tests resizes none; the network was '
        'trained on 12 x 12: resize them before'
    ]
    assert len(read_table(workplace / 'predictions.csv')) == NUM_IMAGES + 1


def test_refusals(predict_tool, trained, images, workplace, capsys):
    def refused(*argv):
        assert predict_tool.main([str(word) for word in argv]) == 2
        return capsys.readouterr().err

    checkpoint = trained / 'epoch_2.pth'
    assert 'checkpoint gone.pth does not exist' in refused('gone.pth', images)
    assert 'gone does not exist: name an image or a folder' in refused(checkpoint, 'gone')
    (workplace / 'empty').mkdir()
    assert 'no image in empty or below' in refused(checkpoint, 'empty')
    torch.save(dict(state_dict={}), 'bare.pth')
    assert 'has no config in its meta: name one by --config' in refused('bare.pth', images)
    wider = ('--cfg-options', 'model.backbone.base_channels=16', 'model.head.in_channels=128')
    assert 'does not fit the config' in refused(checkpoint, images, '--config', DIGITS, *wider)
    assert not (workplace / 'predictions.csv').exists()
