# SPDX-License-Identifier: Apache-2.0
"""Lists of images lead nowhere outside the folder of the data set, unless the config lets them; links are followed."""

import re

import pytest
from mmpretrain.registry import DATASETS
from tree_builders import (
    build_clothing1m,
    build_cnwl,
    build_food101n,
    build_ilsvrc12,
    build_webvision,
    wnid,
    write_image,
    write_lines,
)

from tcl_plugin.datasets.image_lists import leaves

# Each: what writes it, its config, a list of it, and a line of the list.
SETS = {
    'Clothing1M': (lambda root: build_clothing1m(root, 14, 14), {}, 'noisy_train_key_list.txt', 'images/{}'),
    'Food101N': (lambda root: build_food101n(root), {}, 'meta/imagelist.tsv', 'apple_pie/{}'),
    'MiniImageNetCNWL': (lambda root: build_cnwl(root, num_train=100), {}, 'split/red_noise_nl_0.4', '{} 0'),
    'WebVision': (
        lambda root: build_webvision(root, 4, 4, 4),
        dict(num_classes=4),
        'info/train_filelist_google.txt',
        'google/{} 0',
    ),
    'ILSVRC12': (lambda root: build_ilsvrc12(root, 'list', 4, 1), dict(num_classes=4), 'imagenet_val.txt', '{} 0'),
}


@pytest.fixture(params=SETS)
def listed(request, tmp_path):
    """Config of a data set in whose list a path leads to an image beside its folder."""
    write, changes, name, line = SETS[request.param]
    root, outside = tmp_path / 'data', tmp_path / 'secret.jpg'
    write(root)
    if request.param == 'ILSVRC12':
        synsets = write_lines(tmp_path / 'synsets.txt', (f'{wnid(i)} name' for i in range(4)))
        changes = changes | dict(synsets=str(synsets))
    write_image(outside, 0, 2)
    entry = line.format('../../../../../../../..' + str(outside))
    path = root / name
    path.write_text(path.read_text() + entry + '\n')
    if request.param == 'Clothing1M':
        table = root / 'noisy_label_kv.txt'
        table.write_text(table.read_text() + f'{entry} 0\n')
    return dict(type=request.param, data_root=str(root), serialize_data=False, **changes)


def test_lists_do_not_lead_out_of_their_folder(listed):
    with pytest.raises(ValueError, match=r'secret\.jpg leaves the folder of the data set, .*: set allow_outside=True'):
        DATASETS.build(listed)
    dataset = DATASETS.build(listed | dict(allow_outside=True))
    assert dataset.get_data_info(len(dataset) - 1)['img_path'].endswith('secret.jpg')


def test_absolute_paths_in_lists(tmp_path):
    root, outside = tmp_path / 'data', tmp_path / 'secret.jpg'
    build_cnwl(root)
    write_image(outside, 0, 2)
    path = root / 'split' / 'red_noise_nl_0.4'
    path.write_text(path.read_text() + f'{outside} 0\n')
    config = dict(type='MiniImageNetCNWL', data_root=str(root), serialize_data=False)
    # Joined to the folder of images as a text, it is a path below it.
    path_below = DATASETS.build(config).get_data_info(-1)['img_path']
    assert not leaves(path_below, str(root)) and path_below.endswith('secret.jpg')


def test_links_are_followed(tmp_path):
    write_image(tmp_path / 'disk' / '1.jpg', 0, 2)
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'cats').symlink_to(tmp_path / 'disk')
    write_lines(tmp_path / 'data' / 'table.csv', ['img_path,gt_label', 'cats/1.jpg,cat'])
    load = [dict(type='LoadImageFromFile')]
    dataset = DATASETS.build(
        dict(type='CSVDataset', ann_file='table.csv', data_root=str(tmp_path / 'data'), pipeline=load)
    )
    assert dataset[0]['img'].shape == (12, 12, 3)


def test_tables_may_be_allowed_to_lead_anywhere(tmp_path):
    write_image(tmp_path / 'disk' / '1.jpg', 0, 2)
    rows = [f'{tmp_path}/disk/1.jpg,cat', '../disk/1.jpg,cat']
    write_lines(tmp_path / 'data' / 'table.csv', ['img_path,gt_label', *rows])
    config = dict(type='CSVDataset', ann_file='table.csv', data_root=str(tmp_path / 'data'), serialize_data=False)
    with pytest.raises(ValueError, match=re.escape(f'line 2: {tmp_path}/disk/1.jpg leaves the folder')):
        DATASETS.build(config)
    dataset = DATASETS.build(config | dict(allow_outside=True))
    assert {dataset.get_data_info(i)['img_path'] for i in range(2)} == {f'{tmp_path}/disk/1.jpg'}


@pytest.mark.parametrize(
    ('path', 'folder', 'expected'),
    [
        ('data/a/1.jpg', 'data', False),
        ('data/a/../1.jpg', 'data', False),
        ('data/../data/1.jpg', 'data', False),
        ('data/../other/1.jpg', 'data', True),
        ('database/1.jpg', 'data', True),
        ('data', 'data', True),
        ('/etc/1.jpg', 'data', True),
        ('/data/1.jpg', '/data/', False),
        ('1.jpg', '', False),
        ('../1.jpg', '', True),
        ('data/..a/1.jpg', 'data', False),
        ('/1.jpg', '/', False),
    ],
)
def test_leaves(path, folder, expected):
    assert leaves(path, folder) is expected
