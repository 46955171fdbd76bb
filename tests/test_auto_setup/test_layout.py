# SPDX-License-Identifier: Apache-2.0
"""What folders are taken for: classes, parts, or a mistake that one line tells."""

import os
from pathlib import Path

import pytest

from tcl_plugin.auto_setup.layout import find_layout, list_files, settle_classes
from tcl_plugin.datasets.image_lists import some

ROOT = Path('pictures')


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


# Files


def test_files_whatever_lies_about(tmp_path):
    touch(tmp_path, 'cat/2.JPG', 'cat/10.jpeg', 'cat/deep/er/x.Png', 'grüner Apfel/é 1.webp', 'loose.tif')
    touch(tmp_path, 'Thumbs.db', '.DS_Store', 'cat/._2.JPG', 'cat/notes.txt', '.git/a.png')
    touch(tmp_path, '__MACOSX/cat/2.jpg', 'cat/@eaDir/2.jpg')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'folder.jpg').mkdir()
    files = list_files(tmp_path)
    assert files.images == [
        'cat/10.jpeg',
        'cat/2.JPG',
        'cat/deep/er/x.Png',
        'grüner Apfel/é 1.webp',
        'loose.tif',
    ]
    assert files.others == ['Thumbs.db', 'cat/notes.txt']
    assert files.empty == ['empty', 'folder.jpg']


def test_order_does_not_depend_on_the_listing(tmp_path, monkeypatch):
    touch(tmp_path, *(f'{name}/{i}.png' for name in 'cab' for i in range(12)), 'x.txt', 'e.txt')
    before = list_files(tmp_path)
    walk = os.walk

    def other_order(*args, **kwargs):
        for folder, below, names in walk(*args, **kwargs):
            below.sort(reverse=True)
            yield folder, below, sorted(names, reverse=True)

    monkeypatch.setattr(os, 'walk', other_order)
    assert list_files(tmp_path) == before


def test_links_to_folders(tmp_path):
    """They count, and one that leads back is not followed for ever, nor two that lead to one another."""
    touch(tmp_path, 'elsewhere/1.png', 'pictures/cat/1.png', 'pictures/owl/1.png')
    os.symlink(tmp_path / 'elsewhere', tmp_path / 'pictures' / 'dog')
    os.symlink(tmp_path / 'pictures', tmp_path / 'pictures' / 'cat' / 'again')
    os.symlink(tmp_path / 'pictures' / 'owl', tmp_path / 'elsewhere' / 'owl')
    os.symlink(tmp_path / 'elsewhere', tmp_path / 'pictures' / 'owl' / 'back')
    images = list_files(tmp_path / 'pictures').images
    assert images == ['cat/1.png', 'dog/1.png', 'dog/owl/1.png', 'owl/1.png', 'owl/back/1.png']


def test_a_folder_that_may_not_be_read_is_not_passed_over(tmp_path, monkeypatch):
    touch(tmp_path, 'cat/1.png', 'dog/1.png')
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == 'dog':
            raise PermissionError(13, 'Permission denied', str(path))
        return scandir(path)

    monkeypatch.setattr(os, 'scandir', refuse)
    with pytest.raises(PermissionError):
        list_files(tmp_path)


# Layouts


@pytest.mark.parametrize(
    ('images', 'told', 'expected'),
    [
        (['cat/1.jpg', 'red car/sub/1.jpg'], None, {'train': {'cat': 1, 'red car': 1}}),
        (
            ['train/cat/1.jpg', 'train/dog/x/1.jpg', 'val/cat/1.jpg'],
            None,
            {'train': {'cat': 1, 'dog': 1}, 'val': {'cat': 1}},
        ),
        (
            ['Training/a/1.jpg', 'Validation/a/1.jpg', 'testing/a/1.jpg', 'testing/a/2.jpg'],
            None,
            {'train': {'a': 1}, 'val': {'a': 1}, 'test': {'a': 2}},
        ),
        # railways
        (['car/1.jpg', 'plane/1.jpg', 'train/1.jpg'], None, {'train': {'car': 1, 'plane': 1, 'train': 1}}),
        (['car/1.jpg', 'train/steam/1.jpg'], 'classes', {'train': {'car': 1, 'train': 1}}),
        (['raw/1.jpg', 'train/a/1.jpg'], 'parts', {'train': {'a': 1}}),
        # images that nobody has sorted
        (['train/a/1.jpg', 'val/1.jpg'], None, {'train': {'a': 1}}),
        (['train/1.jpg', 'test/1.jpg'], 'classes', {'train': {'test': 1, 'train': 1}}),
        (['val/a/1.jpg', 'test/a/1.jpg'], 'classes', {'train': {'test': 1, 'val': 1}}),
        (['cat/1.jpg', 'test/cat/1.jpg'], 'classes', {'train': {'cat': 1, 'test': 1}}),
        # exams
        (['cat/1.jpg', 'test/1.jpg', 'test/last year/1.jpg'], None, {'train': {'cat': 1, 'test': 2}}),
    ],
)
def test_layout(images, told, expected):
    layout = find_layout(images, told)
    counts = {part: {name: len(found) for name, found in classes.items()} for part, classes in layout.parts.items()}
    assert counts == expected
    assert all(list(classes) == sorted(classes) for classes in layout.parts.values())


def test_what_is_left_out_is_told():
    layout = find_layout(['train/a/1.jpg', 'train/2.jpg', 'val/a/1.jpg', 'raw/a/1.jpg', '3.jpg'])
    assert layout.notes == [
        'left out, as no folder says which class they are: train/2.jpg',
        'beside train, val, these folders are not used: raw',
    ]
    assert 'which class they are: 3.jpg' in find_layout(['a/1.jpg', '3.jpg']).notes[0]
    alone = ['a/1.jpg', 'Test/1.jpg']
    assert find_layout(alone).notes == ['Test is taken for a class, as there is no folder train']
    assert not find_layout(alone, 'classes').notes


@pytest.mark.parametrize(
    ('images', 'told', 'words'),
    [
        (['car/1.jpg', 'train/steam/1.jpg'], None, 'beside it there is car: say by .*layout=parts .*layout=classes'),
        (['train/a/1.jpg', 'val/a/1.jpg', 'valid/a/1.jpg'], None, 'val and valid are names of the same part'),
        (['a/1.jpg', 'b/1.jpg'], 'parts', 'needs a folder train; found a, b'),
        (
            ['train/1.jpg', 'test/1.jpg', 'test1/1.jpg'],
            None,
            'train, test are parts .* images in train lie in no',
        ),
        (
            ['cat/1.jpg', 'dog/1.jpg', 'test/Cat/1.jpg', 'test/owl/1.jpg'],
            None,
            r'test is a part .* \(Cat\), but there is no',
        ),
        (['cat/1.jpg', 'test/1.jpg', 'val/1.jpg'], None, 'val, test are parts .* name, but there is no folder train'),
        (['val/a/1.jpg', 'test/a/1.jpg'], None, r'no folder train: .*\(train/CLASS/\.\.\.\).*layout=classes says'),
    ],
)
def test_layout_that_cannot_be_told(images, told, words):
    with pytest.raises(ValueError, match=words):
        find_layout(images, told)


# Classes


def test_classes_are_sorted_or_as_a_person_says():
    images = ['train/b/1.jpg', 'train/a/1.jpg', 'train/10/1.jpg', 'val/b/1.jpg', 'val/a/1.jpg']
    layout = find_layout(images)
    assert settle_classes(layout, None, ROOT) == ['10', 'a', 'b']
    assert layout.notes == ['no images of 10 in val']
    layout = find_layout(images)
    assert settle_classes(layout, ['b', 10], ROOT) == ['b', '10']
    assert {part: list(found) for part, found in layout.parts.items()} == {'train': ['b', '10'], 'val': ['b']}


def test_classes_that_look_like_one(tmp_path):
    layout = find_layout(['Cat/1.jpg', 'cat/1.jpg', 'dog/1.jpg'])
    assert settle_classes(layout, None, ROOT) == ['Cat', 'cat', 'dog']
    assert layout.notes == ['are these the same? Cat, cat']


def test_accents_as_one_letter_or_two(tmp_path):
    layout = find_layout(['caf\u00e9/1.jpg', 'cafe\u0301/1.jpg', 'dog/1.jpg'])
    settle_classes(layout, None, ROOT)
    assert layout.notes == ['are these the same? cafe\u0301, caf\u00e9']


def test_images_to_test_of_no_known_class_are_left_out():
    layout = find_layout(['train/a/1.jpg', 'train/b/1.jpg', 'test/unknown/1.jpg', 'val/a/1.jpg'])
    assert settle_classes(layout, None, ROOT) == ['a', 'b']
    assert set(layout.parts) == {'train', 'val'}
    assert layout.notes[-2:] == ['left out of test, as train has none: images of unknown', 'no images of a, b in test']


def test_of_validation_what_was_not_chosen_is_left_out():
    layout = find_layout(['train/a/1.jpg', 'train/b/1.jpg', 'val/a/1.jpg', 'val/c/1.jpg'])
    assert settle_classes(layout, ['b', 'a'], ROOT) == ['b', 'a']
    assert layout.parts['val'] == {'a': ['val/a/1.jpg']}


@pytest.mark.parametrize(
    ('images', 'wanted', 'words'),
    [
        (['my/cat/1.jpg', 'my/dog/1.jpg'], None, 'found only my; if the folders in it .* data_root=.*my$'),
        (['cat/1.jpg'], None, 'two or more folders with images are needed, one for each class; found only cat$'),
        (['1.jpg'], None, 'no images in folders'),
        (['train/a/1.jpg', 'train/b/1.jpg', 'val/c/1.jpg'], None, 'val has images of c .* train has none'),
        (['train/a/1.jpg', 'train/b/1.jpg', 'test/A/1.jpg'], None, 'test has images of A .* are names alike?'),
        (['a/1.jpg', 'b/1.jpg'], ['a', 'c'], 'there are no training images of c'),
        (['a/1.jpg', 'b/1.jpg'], ['a', 'a'], 'each of them once'),
        (['a/1.jpg', 'b/1.jpg'], ['a'], 'two or more are needed'),
    ],
)
def test_classes_that_cannot_be(images, wanted, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        settle_classes(find_layout(images), wanted, tmp_path)


def test_parts_by_other_names():
    """Folders of the same names in all outer ones are what parts of a data set have."""
    images = ['training_set/cat/1.png', 'training_set/dog/1.png', 'test-set/cat/1.png', 'test-set/dog/1.png']
    assert find_layout(images).folders == dict(train='training_set', test='test-set')
    # Exact names come first, and other names alone are no sign that folders are parts.
    beside = ['train/cat/1.png', 'test/cat/1.png', 'test_images/cat/1.png']
    assert find_layout(beside).folders == dict(train='train', test='test')
    with pytest.raises(ValueError, match='train has folders in it, and beside it there is bus'):
        find_layout(['train/a/1.png', 'test set/a/1.png', 'bus/a/1.png'])
    named = ['train/1.png', 'train set/1.png', 'testing/1.png', 'test/1.png']
    assert list(find_layout(named, 'classes').parts['train']) == sorted({path.split('/')[0] for path in named})
    (note,) = find_layout([path.replace('_set', '_one') for path in images]).notes
    assert note.startswith('are test-set, training_one classes?')
    for others in (['cat/a/1.png', 'dog/b/1.png'], ['cat/1.png', 'dog/1.png'], ['cat/a/1.png', 'dog/a/1.png']):
        assert not find_layout(others).notes


def test_some():
    assert some(['caf\udce9']) == 'caf?'
    assert some(['b', 'a']) == 'b, a' and some({'b', 'a'}) == 'a, b'
    assert some(list('abcdefg'), 2) == 'a, b and 5 more'
