# SPDX-License-Identifier: Apache-2.0
"""Clothing1M, with lists and images where the loaders of the literature put them."""

import pytest
from data_builders import balanced_labels
from mmpretrain.registry import DATASETS
from tree_builders import build_clothing1m, write_lines

# Serialising would collect garbage for each data set, and take longer than all the rest.
COMMON = dict(pipeline=[dict(type='LoadImageFromFile')], serialize_data=False)
SIZES = dict(num_train=28, num_clean=14)


def build(root, split='train', **kwargs):
    return DATASETS.build(dict(type='Clothing1M', data_root=str(root), split=split, **COMMON, **kwargs))


@pytest.mark.parametrize('prefix', ['images/', ''])
@pytest.mark.parametrize(('lists', 'folder'), [('', 'images'), ('label', 'images'), ('', '')])
def test_each_layout(tmp_path, prefix, lists, folder):
    root = build_clothing1m(tmp_path, **SIZES, prefix=prefix, lists=lists, folder=folder)
    dataset = build(root)
    assert dataset.get_gt_labels().tolist() == balanced_labels(28, 14).tolist()
    assert dataset[13]['img_path'] == str(root / folder / '3' / '0' / 'noisy_train_13.jpg')
    assert dataset[13]['img'].shape == (12, 12, 3)


@pytest.mark.parametrize('split', ['clean_train', 'val', 'test'])
def test_clean_splits(tmp_path, split):
    dataset = build(build_clothing1m(tmp_path, **SIZES), split)
    assert dataset.get_gt_labels().tolist() == list(range(14))
    assert f'clean_{split.removeprefix("clean_")}_0.jpg' in dataset[0]['img_path']
    assert dataset.CLASSES[3] == 'Garment 3'


def test_lists_of_images_and_of_labels_may_differ_in_order_and_prefix(tmp_path):
    root = build_clothing1m(tmp_path, **SIZES)
    table = root / 'noisy_label_kv.txt'
    write_lines(table, [line.removeprefix('images/') for line in reversed(table.read_text().split('\n')) if line])
    (root / 'category_names_eng.txt').unlink()
    dataset = build(root)
    assert dataset.get_gt_labels().tolist() == balanced_labels(28, 14).tolist()
    assert list(dataset.CLASSES) == [str(i) for i in range(14)]


def test_errors_name_what_was_expected(tmp_path):
    with pytest.raises(ValueError, match=r"split must be one of .*'clean_train', 'val', 'test'., got 'valid'"):
        build(tmp_path, 'valid')
    with pytest.raises(FileNotFoundError, match=f'Clothing1M: data_root {tmp_path}/no does not exist'):
        build(tmp_path / 'no')
    root = build_clothing1m(tmp_path, **SIZES)
    keys, table = root / 'noisy_train_key_list.txt', root / 'noisy_label_kv.txt'

    write_lines(keys, ['images/3/0/gone.jpg'])
    with pytest.raises(ValueError, match=f'list {keys}: images/3/0/gone.jpg in line 1 has no label in {table}'):
        build(root)
    write_lines(table, ['images/3/0/gone.jpg 0'])
    expected = f'{root}/images/3/0/gone.jpg or {root}/3/0/gone.jpg'
    with pytest.raises(FileNotFoundError, match=f'none of the first 1 images is there; .* at {expected}$'):
        build(root)
    write_lines(table, ['images/3/0/gone.jpg 14'])
    with pytest.raises(ValueError, match=f'list {table}: line 1: label 14 is outside 0..13'):
        build(root)
    write_lines(table, ['images/3/0/gone.jpg 0'])
    keys.write_text('\n')
    with pytest.raises(ValueError, match=f'list {keys} is empty'):
        build(root)
    keys.unlink()
    with pytest.raises(FileNotFoundError, match=f'expected {keys} or {root}/label/{keys.name}; found category'):
        build(root)
    write_lines(root / 'category_names_eng.txt', ['Shirt'])
    with pytest.raises(ValueError, match=r'category_names_eng.txt: has 1 names, expected 14'):
        build(root, 'val')
