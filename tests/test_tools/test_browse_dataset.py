# SPDX-License-Identifier: Apache-2.0
"""What is shown are the pixels that the network gets, with the labels that the data set gives."""

import numpy as np
import pytest
import torch
from folder_config import QUICK, completed_folder_config
from mmengine.config import Config
from PIL import Image
from toolbox import DIGITS, ROOT, load_file, options
from toy_runs import classifier, noisy_digits

COLOURS = ((220, 40, 40), (40, 220, 40), (40, 40, 220))


@pytest.fixture(scope='module')
def browse_tool():
    return load_file(ROOT / 'tools' / 'browse_dataset.py')


def test_views_cut_on_the_device(browse_tool, workplace, capsys):
    assert browse_tool.main([str(DIGITS), '--out', 'v', '--number', '18', *options()]) == 0
    assert sorted(path.name for path in (workplace / 'v').iterdir()) == ['views_1.png', 'views_2.png']
    assert Image.open('v/views_1.png').size > Image.open('v/views_2.png').size
    assert capsys.readouterr().out.splitlines()[-1] == 'v/views_2.png'


def test_rows_of_a_single_view_are_the_images_themselves(browse_tool):
    pack = [dict(type='PackInputs')]
    cfg = Config(dict(model=classifier(), train_dataloader=dict(dataset=noisy_digits(12, pack))))
    dataset, model = browse_tool.build(cfg)
    rows = browse_tool.make_rows(dataset, model, range(12), is_bgr=False)
    for i, row in enumerate(rows):
        given, true = dataset.given_labels[i], dataset.true_labels[i]
        assert row.label == f'{i + 1}: given {given}, true {true}' and row.is_wrong == (given != true)
        (image,) = row.images
        assert (image == dataset.get_data_info(i)['img']).all()


def test_views_cut_by_workers_in_true_colours(browse_tool, tmp_path):
    """Class k is red, green or blue; files are loaded as BGR. Mixed views are mixed as their names say."""
    for k, colour in enumerate(COLOURS):
        (tmp_path / 'own' / f'class_{k}').mkdir(parents=True)
        Image.new('RGB', (300, 260), colour).save(tmp_path / 'own' / f'class_{k}' / 'image.png')
    cfg = completed_folder_config(tmp_path / 'own', tmp_path, **QUICK, val_dataloader=None)
    cfg.model.backbone = dict(type='PreActResNet', depth=18, base_channels=8)
    cfg.model.head.in_channels = 64
    torch.manual_seed(0)
    dataset, model = browse_tool.build(cfg)
    rows = browse_tool.make_rows(dataset, model, range(3), browse_tool.sees_bgr(model, cfg.train_dataloader.dataset))
    assert [row.label for row in rows] == [f'{k + 1}: given class_{k}' for k in range(3)]
    for row, colour in zip(rows, COLOURS, strict=True):
        assert row.names[:3] == ['weak', 'strong 1', 'strong 2'] and len(row.images) == 6
        assert all(image.shape == (224, 224, 3) for image in row.images)
        assert (row.images[0] == colour).all()
        share = int(row.names[3].split()[1]) / 100
        own = row.images[3].astype(float) - (1 - share) * np.array(colour)
        assert share <= 0.5 and (own > -5).all() and (own < 255 * share + 5).all()


def test_a_label_of_no_class(browse_tool):
    class Dataset:
        metainfo = dict(classes=('ant', 'bee'))
        true_labels = np.array([0, -1])

    assert browse_tool.describe_label(Dataset, 0, 0) == ('given ant, true ant', False)
    assert browse_tool.describe_label(Dataset, 1, 1) == ('given bee, true no class', True)


def test_refusals(browse_tool, workplace, capsys):
    assert browse_tool.main([str(DIGITS), '--out', 'v', '--number', '0']) == 2
    assert '--number must be 1 or more, got 0' in capsys.readouterr().err
