# SPDX-License-Identifier: Apache-2.0
"""WebVision and ImageNet's validation set, in each layout that loaders of the literature read."""

import re
import shutil

import numpy as np
import pytest
from mmpretrain.registry import DATASETS
from tree_builders import build_ilsvrc12, build_webvision, wnid, write_image, write_lines

# Serialising would collect garbage for each data set, and take longer than all the rest.
COMMON = dict(pipeline=[dict(type='LoadImageFromFile')], serialize_data=False)


@pytest.fixture(scope='module')
def webvision(tmp_path_factory):
    return build_webvision(tmp_path_factory.mktemp('webvision'))


def build(root, split='train', **kwargs):
    return DATASETS.build(dict(type='WebVision', data_root=str(root), split=split, **COMMON, **kwargs))


def build_imagenet(root, webvision, **kwargs):
    synsets = str(webvision / 'info' / 'synsets.txt')
    return DATASETS.build(dict(type='ILSVRC12', data_root=str(root), synsets=synsets, **COMMON, **kwargs))


def small_webvision(folder, **kwargs):
    return build_webvision(folder / 'webvision', **{**dict(num_classes=3, num_train=6, num_val=3), **kwargs})


@pytest.mark.parametrize(('split', 'num', 'first'), [('train', 100, 'google/q0001/000.jpg'), ('val', 50, None)])
def test_first_fifty_classes(webvision, split, num, first):
    dataset = build(webvision, split)
    assert len(dataset) == num  # of 104 and 52 images of 52 classes
    assert sorted(set(dataset.get_gt_labels())) == list(range(50))
    assert len(dataset.CLASSES) == 50 and dataset.CLASSES[1] == 'name 1, other name'
    assert dataset[0]['img_path'] == str(webvision / (first or 'val_images_256/val000001.jpg'))
    assert dataset[3]['img'].shape == (12, 12, 3)
    assert f'Split: \t{split}' in repr(dataset)


def test_files_that_a_system_leaves_beside_images(tmp_path, webvision):
    root = build_ilsvrc12(tmp_path / 'imagenet', num_classes=50)
    before = len(build_imagenet(root, webvision))
    for image in list(root.glob('val/*/*.JPEG'))[:1]:
        image.with_name(f'._{image.name}').write_bytes(b'no image')
        assert len(build_imagenet(root, webvision)) == before


def test_any_number_of_classes(webvision):
    dataset = build(webvision, num_classes=2)
    assert dataset.get_gt_labels().tolist() == [0, 1, 0, 1]
    with pytest.raises(ValueError, match=r'synsets.txt: has 52 classes, fewer than num_classes=1000'):
        build(webvision, num_classes=1000)
    with pytest.raises(ValueError, match='WebVision has 2 classes, but classes names 3'):
        build(webvision, num_classes=2, classes=['a', 'b', 'c'])


def test_validation_images_of_either_size(tmp_path):
    root = small_webvision(tmp_path, val_folder='val_images')
    assert build(root, 'val', num_classes=3)[0]['img_path'] == str(root / 'val_images' / 'val000001.jpg')
    shutil.copytree(root / 'val_images', root / 'val_images_256')
    assert build(root, 'val', num_classes=3)[0]['img_path'] == str(root / 'val_images_256' / 'val000001.jpg')


def test_noise_is_natural(webvision):
    noisy = DATASETS.build(dict(type='NoisyLabelDataset', dataset=build(webvision)))
    assert noisy.num_classes == 50 and noisy.true_labels is None
    assert noisy.given_labels.tolist() == build(webvision).get_gt_labels().tolist()


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('google/q0001/000.jpg', r"line 2 has no label after the path: 'google/q0001/000.jpg'"),
        ('google/q0001/000.jpg x', r"line 2: label 'x' is no whole number"),
        ('google/q0001/000.jpg -1', r'line 2: label -1 is outside 0..2'),
        ('google/q0001/000.jpg 3', r'line 2: label 3 is outside 0..2'),
    ],
)
def test_bad_line(tmp_path, line, message):
    root = small_webvision(tmp_path)
    path = write_lines(root / 'info' / 'train_filelist_google.txt', ['google/q0001/000.jpg 0', line])
    with pytest.raises(ValueError, match=f'list {re.escape(str(path))}: {message}'):
        build(root, num_classes=3)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"split must be one of \['train', 'val'\], got 'test'"):
        build(tmp_path, 'test')
    with pytest.raises(FileNotFoundError, match=f'data_root {tmp_path}/no does not exist'):
        build(tmp_path / 'no')
    with pytest.raises(FileNotFoundError, match=f'WebVision: {tmp_path}/info does not exist'):
        build(tmp_path)
    root = small_webvision(tmp_path)
    shutil.rmtree(root / 'google')
    expected = root / 'google' / 'q0001' / '000.jpg'
    with pytest.raises(FileNotFoundError, match=f'none of the first 6 images is there; .* at {expected}$'):
        build(root, num_classes=3)
    shutil.rmtree(root / 'val_images_256')
    expected = f'{root}/val_images_256/val000001.jpg or {root}/val_images/val000001.jpg'
    with pytest.raises(FileNotFoundError, match=f'expected the first of them at {expected}$'):
        build(root, 'val', num_classes=3)
    (root / 'info' / 'train_filelist_google.txt').unlink()
    with pytest.raises(FileNotFoundError, match=f'list {root}/info/train_filelist_google.txt does not exist'):
        build(root, num_classes=3)
    write_lines(root / 'info' / 'synsets.txt', ['n00000001 a', 'n00000001 b'])
    with pytest.raises(ValueError, match=r'synsets.txt: an identifier comes twice'):
        build(root)
    write_lines(root / 'info' / 'synsets.txt', ['n00000001 a', 'tench'])
    with pytest.raises(ValueError, match="line 2 does not begin with an identifier such as n01440764: 'tench'"):
        build(root, num_classes=2)


def test_one_missing_image_is_named_when_it_is_loaded(tmp_path):
    root = small_webvision(tmp_path)
    gone = root / 'google' / 'q0001' / '000.jpg'
    gone.unlink()
    dataset = build(root, num_classes=3)
    assert len(dataset) == 6 and dataset[1]['img'].shape == (12, 12, 3)
    with pytest.raises(FileNotFoundError, match=str(gone)):
        dataset[0]


@pytest.mark.parametrize('layout', ['wnid', 'label', 'list', 'meta'])
def test_imagenet_in_each_layout(tmp_path, webvision, layout):
    root = build_ilsvrc12(tmp_path, layout, images_per_class=1)
    dataset = build_imagenet(root, webvision)
    assert dataset.get_gt_labels().tolist() == list(range(50))
    assert dataset.CLASSES == build(webvision, 'val').CLASSES
    # The colour of the picture says its class, whatever folders are named.
    assert np.ptp(dataset[49]['img'].mean((0, 1)) - build(webvision, 'val')[49]['img'].mean((0, 1))) < 30
    assert '00000050' in dataset[49]['img_path']
    if layout in ('wnid', 'label'):
        assert len(build_imagenet(root / 'val', webvision)) == 50


def test_imagenet_goes_by_identifiers_in_any_order(tmp_path):
    info = tmp_path / 'info'
    write_lines(info / 'synsets.txt', [f'{wnid(i)} name {i}' for i in (2, 0, 1)])
    root = build_ilsvrc12(tmp_path / 'imagenet', num_classes=3, images_per_class=1)
    dataset = build_imagenet(root, tmp_path, num_classes=2)
    assert [info['img_path'].split('/')[-2] for info in map(dataset.get_data_info, range(2))] == [wnid(2), wnid(0)]
    assert dataset.get_gt_labels().tolist() == [0, 1] and dataset.CLASSES == ('name 2', 'name 0')


@pytest.mark.parametrize('layout', ['label', 'list', 'meta'])
def test_imagenet_refuses_labels_that_may_mean_two_things(tmp_path, layout):
    write_lines(tmp_path / 'info' / 'synsets.txt', [f'{wnid(i)} name {i}' for i in (2, 0, 1)])
    root = build_ilsvrc12(tmp_path / 'imagenet', layout, num_classes=3, images_per_class=1)
    with pytest.raises(ValueError, match=r'may mean places in .*synsets.txt or among sorted identifiers'):
        build_imagenet(root, tmp_path, num_classes=3)


def test_imagenet_refuses_other_layouts(tmp_path, webvision):
    root = build_ilsvrc12(tmp_path, num_classes=49, images_per_class=1)
    with pytest.raises(FileNotFoundError, match=rf'1 of the 50 classes have no folder in {root}/val: {wnid(49)}$'):
        build_imagenet(root, webvision)
    write_image(root / 'val' / '7' / 'x.JPEG', 7, 50)
    with pytest.raises(ValueError, match=r'has folders by identifier .* and by label .7.'):
        build_imagenet(root, webvision)
    shutil.rmtree(root / 'val')
    write_image(root / 'val' / 'ILSVRC2012_val_00000001.JPEG', 0, 50)
    lists = f'a list {root}/imagenet_val.txt or {root}/meta/val.txt'
    message = f'{root}/val, or {lists}; found ILSVRC2012_val_00000001.JPEG in {root}/val'
    with pytest.raises(FileNotFoundError, match=f'expected folders such as {wnid(0)} or 0 in {message}'):
        build_imagenet(root, webvision)
    (root / 'val' / wnid(0)).mkdir()
    with pytest.raises(FileNotFoundError, match=r'no images in .*; found nothing'):
        build_imagenet(root, webvision, num_classes=1)
