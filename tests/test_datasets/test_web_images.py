# SPDX-License-Identifier: Apache-2.0
"""ANIMAL-10N, Food-101N and mini-ImageNet with noise from the web."""

import pytest
from mmpretrain.datasets.categories import FOOD101_CATEGORIES
from mmpretrain.registry import DATASETS
from tree_builders import build_animal10n, build_cnwl, build_food101, build_food101n, write_image, write_lines

# Serialising would collect garbage for each data set, and take longer than all the rest.
COMMON = dict(pipeline=[dict(type='LoadImageFromFile')], serialize_data=False)


def build(kind, root, **kwargs):
    return DATASETS.build(dict(type=kind, data_root=str(root), **COMMON, **kwargs))


@pytest.mark.parametrize('kind', ['Animal10N', 'Food101N', 'MiniImageNetCNWL'])
def test_root_is_missing(tmp_path, kind):
    with pytest.raises(FileNotFoundError, match=f'{kind}: data_root {tmp_path}/no does not exist'):
        build(kind, tmp_path / 'no')


@pytest.mark.parametrize(('split', 'num', 'folder'), [('train', 30, 'training'), ('test', 20, 'testing')])
def test_animal10n(tmp_path, split, num, folder):
    dataset = build('Animal10N', build_animal10n(tmp_path, 30, 20), split=split)
    assert sorted(dataset.get_gt_labels()) == sorted(list(range(10)) * (num // 10))
    paths = [dataset.get_data_info(i)['img_path'] for i in range(num)]
    assert paths == sorted(paths) and paths[0] == str(tmp_path / folder / '0_a0000.jpg')
    assert dataset[num - 1]['img'].shape == (12, 12, 3) and list(dataset.CLASSES) == list('0123456789')


def test_animal10n_refuses_other_names(tmp_path):
    with pytest.raises(FileNotFoundError, match=f'expected a folder {tmp_path}/training; found nothing in {tmp_path}'):
        build('Animal10N', tmp_path)
    (tmp_path / 'training').mkdir()
    with pytest.raises(FileNotFoundError, match=f'no images in {tmp_path}/training; found nothing'):
        build('Animal10N', tmp_path)
    for name, message in [
        ('cat.jpg', 'the name does not begin with a label and _'),
        ('cat_1.jpg', "label 'cat' is no whole number"),
        ('10_1.jpg', r'label 10 is outside 0\.\.9'),
    ]:
        path = tmp_path / 'training' / name
        write_image(path, 0, 10)
        with pytest.raises(ValueError, match=f'Animal10N: {path}: {message}'):
            build('Animal10N', tmp_path)
        path.unlink()


@pytest.mark.parametrize('folder', ['', 'Food-101N_release'])
def test_food101n_has_the_classes_of_food101(tmp_path, folder):
    build_food101n(tmp_path / folder, [0, 100, 1])
    dataset = build('Food101N', tmp_path)
    assert dataset.get_gt_labels().tolist() == [0, 100, 1]
    assert dataset[1]['img_path'] == str(tmp_path / folder / 'images' / 'waffles' / '00001.jpg')
    test_set = build('Food101', build_food101(tmp_path / 'food-101', [100, 0]), split='test')
    assert test_set.get_gt_labels().tolist() == [100, 0] and test_set.CLASSES == dataset.CLASSES
    assert test_set[0]['img'].shape == dataset[0]['img'].shape == (12, 12, 3)


def test_food101n_labels_follow_the_order_of_the_classes(tmp_path):
    """The list has names: the label of one is its place among the classes, whatever these are."""
    build_food101n(tmp_path, [0, 100, 1])
    names = list(FOOD101_CATEGORIES)
    dataset = build('Food101N', tmp_path, classes=names[::-1])
    assert dataset.get_gt_labels().tolist() == [100, 0, 99] and list(dataset.CLASSES) == names[::-1]
    assert build('Food101N', tmp_path, classes=names).get_gt_labels().tolist() == [0, 100, 1]
    for classes, told in (
        (['socks', *names[1:]], "'socks' is none of them"),
        (names[3:], 'apple_pie, baby_back_ribs, baklava missing'),
        ([*names[:100], names[0]], 'waffles missing'),
        ([*names, names[0]], 'one of them comes twice'),
    ):
        with pytest.raises(ValueError, match=f'Food101N: classes must be the 101 of Food-101, .*: {told}$'):
            build('Food101N', tmp_path, classes=classes)


def test_food101n_errors(tmp_path):
    path = tmp_path / 'meta' / 'imagelist.tsv'
    release = tmp_path / 'Food-101N_release' / 'meta' / 'imagelist.tsv'
    with pytest.raises(FileNotFoundError, match=f'Food101N: expected {path} or {release}; found nothing'):
        build('Food101N', tmp_path)
    write_lines(path, ['class_name/key', 'apple_pie/1.jpg', 'socks/2.jpg'])
    with pytest.raises(ValueError, match=rf"list {path}: line 3 does not begin with a class .*: 'socks/2.jpg'"):
        build('Food101N', tmp_path)
    write_lines(path, ['class_name/key', 'apple_pie/1.jpg'])
    with pytest.raises(FileNotFoundError, match=f'the first of them at {tmp_path}/images/apple_pie/1.jpg$'):
        build('Food101N', tmp_path)
    # A list that somebody has written without a header begins with an image.
    write_image(tmp_path / 'images' / 'apple_pie' / '1.jpg', 0, 2)
    write_image(tmp_path / 'images' / 'waffles' / '2.jpg', 0, 2)
    write_lines(path, ['waffles/2.jpg', 'apple_pie/1.jpg'])
    assert build('Food101N', tmp_path).get_gt_labels().tolist() == [100, 0]
    write_lines(path, ['class_name/key'])
    with pytest.raises(ValueError, match=f'list {path}: has a header, but no images'):
        build('Food101N', tmp_path)


@pytest.mark.parametrize('inner', ['', 'mini-imagenet'])
@pytest.mark.parametrize(
    ('train_folder', 'val_layout'),
    [
        ('all_images', 'validation/{label}/{name}'),
        ('all_images', 'all_validation/{name}'),
        ('training_s32', 'validation_s32/{label}/{name}'),
        ('training_s32', 'validation_s32/{name}'),
    ],
)
def test_cnwl_in_each_layout(tmp_path, inner, train_folder, val_layout):
    root = build_cnwl(tmp_path / inner, train_folder, val_layout, 20, 10)
    red, val = build('MiniImageNetCNWL', tmp_path), build('MiniImageNetCNWL', tmp_path, split='val')
    assert red.get_gt_labels().tolist() == list(range(20)) and val.get_gt_labels().tolist() == list(range(10))
    assert red[3]['img_path'] == str(root / train_folder / 'n00003.jpg')
    assert val[7]['img_path'] == str(root / val_layout.format(name='v00007.jpg', label=7))
    assert red[3]['img'].shape == val[7]['img'].shape == (12, 12, 3) and len(red.CLASSES) == 100
    blue = build('MiniImageNetCNWL', tmp_path, colour='blue', rate=0.4)
    assert blue.get_gt_labels().tolist() == list(range(20))[::-1]


def test_cnwl_asks_which_size_is_meant(tmp_path):
    build_cnwl(tmp_path, 'all_images', 'validation/{label}/{name}', 4, 4)
    build_cnwl(tmp_path, 'training_s32', 'validation_s32/{label}/{name}', 4, 4)
    for split, full, small in [('train', 'all_images', 'training_s32'), ('val', 'validation', 'validation_s32')]:
        with pytest.raises(ValueError, match=r"has images of both sizes .*: set size='full' or size='32'"):
            build('MiniImageNetCNWL', tmp_path, split=split)
        for size, folder in [('full', full), ('32', small)]:
            dataset = build('MiniImageNetCNWL', tmp_path, split=split, size=size)
            assert f'/{folder}/' in dataset[0]['img_path']


def test_cnwl_errors(tmp_path):
    with pytest.raises(ValueError, match="colour must be 'red' or 'blue', got 'green'"):
        build('MiniImageNetCNWL', tmp_path, colour='green')
    with pytest.raises(ValueError, match="size must be None, 'full' or '32', got 84"):
        build('MiniImageNetCNWL', tmp_path, size=84)
    path = tmp_path / 'split' / 'red_noise_nl_0.8'
    with pytest.raises(FileNotFoundError, match=f'expected {path}; found no folder split, but nothing'):
        build('MiniImageNetCNWL', tmp_path, rate=0.8)
    build_cnwl(tmp_path, num_train=2, num_val=2)
    with pytest.raises(FileNotFoundError, match=f'expected {path}; found blue_noise_nl_0.4, clean_validation, red_'):
        build('MiniImageNetCNWL', tmp_path, rate=0.8)
    write_lines(path, ['n00000.jpg 100'])
    with pytest.raises(ValueError, match=rf'list {path}: line 1: label 100 is outside 0\.\.99'):
        build('MiniImageNetCNWL', tmp_path, rate=0.8)
    write_lines(path, ['gone.jpg 1'])
    expected = f'{tmp_path}/all_images/gone.jpg or {tmp_path}/training_s32/gone.jpg'
    with pytest.raises(FileNotFoundError, match=f'at {expected}$'):
        build('MiniImageNetCNWL', tmp_path, rate=0.8)
