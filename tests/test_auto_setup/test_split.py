# SPDX-License-Identifier: Apache-2.0
"""The split depends on names and seed alone, and its lists come back as they were written."""

import random

import pytest

from tcl_plugin.auto_setup.split import split_off, write_list
from tcl_plugin.datasets import CSVDataset


def images(name, count):
    return [f'{name}/{i}.jpg' for i in range(count)]


@pytest.fixture
def classes():
    return {'cat': images('cat', 40), 'one': images('one', 1), 'five': images('five', 5), 'four': images('four', 4)}


def test_stratified(classes):
    train, val = split_off(classes, 0.25, seed=0)
    assert {name: len(found) for name, found in val.items()} == {'cat': 10, 'five': 1}
    assert {name: sorted(train[name] + val.get(name, [])) for name in classes} == {
        name: sorted(found) for name, found in classes.items()
    }
    _, val = split_off(classes, 0.01, seed=0)
    assert {name: len(found) for name, found in val.items()} == {'cat': 1, 'five': 1}
    train, _ = split_off(classes, 0.99, seed=0)
    assert {name: len(found) for name, found in train.items()} == {'cat': 1, 'one': 1, 'five': 1, 'four': 4}


def test_depends_on_names_and_seed_alone(classes):
    _, val = split_off(classes, 0.25, seed=0)
    shuffled = {name: random.Random(1).sample(found, len(found)) for name, found in classes.items()}
    assert split_off(shuffled, 0.25, seed=0)[1] == val
    assert split_off(classes, 0.25, seed=1)[1] != val
    # This very split, on every machine and in every release: another one would leak images into validation.
    assert val['cat'] == [f'cat/{i}.jpg' for i in (1, 16, 25, 26, 27, 32, 37, 39, 5, 6)]


def test_an_image_more_moves_few_others(classes):
    _, before = split_off(classes, 0.25, seed=0)
    classes['cat'].append('cat/new.jpg')
    _, after = split_off(classes, 0.25, seed=0)
    assert len(set(before['cat']) - set(after['cat'])) <= 1


def test_a_class_is_not_kept_back_as_a_whole():
    """Two rows that repeat images of another class, both of which are drawn."""
    cats = images('cat', 10)
    _, alone = split_off({'cat': cats}, 0.3, seed=0)
    twice = alone['cat'][:2]
    train, val = split_off({'cat': cats, 'rare': twice}, 0.3, seed=0)
    assert len(train['rare']) == 1 and len(val['cat']) == 2
    assert not set(val['cat']) & {*train['cat'], *train['rare']}


def test_lists_are_read_as_they_were_written(tmp_path):
    """Names that numbers, spreadsheets and blanks make hard."""
    classes = ['2', ' 1', '=sum', 'grüner, "Apfel"']
    found = {name: [f'{name}/{i} .jpg' for i in range(2)] for name in classes[:3]}
    path = write_list(tmp_path / 'lists', 'train', found, classes)
    dataset = CSVDataset(str(path), data_root=str(tmp_path), classes=classes, check_files=0)
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [info['gt_label'] for info in infos] == [0, 0, 1, 1, 2, 2]
    assert [info['img_path'] for info in infos] == [
        str(tmp_path / name) for images in found.values() for name in images
    ]


def test_a_list_is_never_overwritten_by_another(tmp_path):
    first = write_list(tmp_path, 'val', {'a': ['a/1.jpg']}, ['a', 'b'])
    before = first.read_bytes()
    assert write_list(tmp_path, 'val', {'a': ['a/2.jpg']}, ['a', 'b']) != first
    assert write_list(tmp_path, 'val', {'a': ['a/1.jpg']}, ['b', 'a']) != first
    assert write_list(tmp_path, 'val', {'a': ['a/1.jpg']}, ['a', 'b']) == first and first.read_bytes() == before
