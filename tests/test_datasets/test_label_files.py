# SPDX-License-Identifier: Apache-2.0
import json
import re

import numpy as np
import pytest

from tcl_plugin.datasets import read_label_file
from tcl_plugin.datasets.sidecar import digest

GOOD = [3, 0, 2, 1, 1]


def write(path, content):
    """Write an array as .npy, text as it is, bytes as they are, other things as JSON."""
    if isinstance(content, np.ndarray):
        np.save(path, content, allow_pickle=True)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def check_refused(path, error, *parts, num_samples=5, num_classes=4):
    """The error names the file and all parts, and reading leaves the file as it was."""
    before = path.read_bytes()
    with pytest.raises(error, match=re.escape(str(path))) as info:
        read_label_file(path, num_samples, num_classes)
    for part in parts:
        assert part in str(info.value)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('a.npy', np.array(GOOD, dtype=np.int32)),
        ('a.npy', np.array(GOOD, dtype=np.uint8)),
        ('a.json', GOOD),
        ('a.JSON', GOOD),
        ('a.csv', '0,3\n1,0\n2,2\n3,1\n4,1\n'),
        ('a.csv', '4,1\n3,1\n\n2,2\n1,0\n0,3\n'),
        ('a.csv', 'sample_idx,label\n0,3\n1,0\n2,2\n3,1\n4,1\n'),
        ('a.csv', 'index,label\n0,3\n1,0\n2,2\n3,1\n4,1\n'),
        ('a.csv', 'index,sample_idx,label\n9,0,3\n9,1,0\n9,2,2\n9,3,1\n9,4,1\n'),
        ('a.csv', b'\xef\xbb\xbfsample_idx,label\r\n0,3\r\n1,0\r\n2,2\r\n3,1\r\n4,1\r\n'),
        ('a.csv', 'note,sample_idx,given_label\nx,1,0\nx,0,3\nx,2,2\nx,3,1\nx,4,1'),
    ],
)
def test_read(tmp_path, name, content):
    path = write(tmp_path / name, content)
    for form in (path, str(path)):
        labels = read_label_file(form, 5, 4)
        assert labels.dtype == np.int64
        assert labels.tolist() == GOOD


@pytest.mark.parametrize('name', ['true_label', 'clean_label'])
def test_true_labels_of_a_table_tell_its_order(tmp_path, name):
    path = write(tmp_path / 'a.csv', f'{name},sample_idx,given_label\n2,1,0\n1,0,3\n2,2,2\n3,3,1\n0,4,1\n')
    for true in (None, np.array([1, 2, 2, 3, 0])):
        assert read_label_file(path, 5, 4, true_labels=true).tolist() == GOOD
    message = f'is for another order of the images: {name} is 1 at index 0, where the dataset has 0 .3 such'
    with pytest.raises(ValueError, match=message):
        read_label_file(path, 5, 4, true_labels=np.array([0, 3, 2, 3, 1]))


def test_a_column_of_true_labels_may_be_blank_but_not_in_part(tmp_path):
    path = write(tmp_path / 'a.csv', 'sample_idx,given_label,true_label\n0,3,\n1,0, \n2,2,\n3,1,\n4,1,\n')
    assert read_label_file(path, 5, 4, true_labels=np.zeros(5, dtype=int)).tolist() == GOOD
    write(path, 'sample_idx,given_label,true_label\n0,3,1\n1,0,\n2,2,2\n3,1,3\n4,1,0\n')
    check_refused(path, TypeError, "'' of true_label in line 3 is no integer")


def test_table_of_replaced_images(tmp_path):
    """A table does not say which images stand there: as given labels of the former images these would be wrong."""
    path = write(tmp_path / 'a.csv', 'sample_idx,given_label,true_label\n0,3,1\n1,0,-1\n2,2,-1\n3,1,3\n4,1,0\n')
    check_refused(path, ValueError, 'its true_label is -1 for 2 images', 'set open_set')
    true = np.array([1, 2, 2, 3, 0])
    assert read_label_file(path, 5, 4, true_labels=true, open_set=True).tolist() == GOOD
    with pytest.raises(ValueError, match=r'true_label is 3 at index 3, where the dataset has 0 \(1 such'):
        read_label_file(path, 5, 4, true_labels=np.array([1, 2, 2, 0, 0]), open_set=True)


def test_sidecar_of_other_labels(tmp_path):
    """The same labels in another order are as long, and as many of each class: only the sidecar tells."""
    path = write(tmp_path / 'a.npy', np.array(GOOD))
    beside = dict(true_labels_sha256=digest(np.arange(5)), given_labels_sha256=digest(np.array(GOOD)))
    (tmp_path / 'a.npy.json').write_text(json.dumps(beside))
    assert read_label_file(path, 5, 4).tolist() == GOOD
    write(path, np.array(GOOD[::-1]))
    with pytest.raises(ValueError, match=r'a.npy: holds other labels than a.npy.json tells of'):
        read_label_file(path, 5, 4)


def test_numbers_without_end_are_not_read(tmp_path):
    """Nor shown; the longest that are read are too large for a label."""
    path = write(tmp_path / 'a.csv', f'0,{"9" * 41}\n')
    check_refused(path, TypeError, f'{"9" * 40}...', 'in line 1 is no integer')
    check_refused(write(path, f'0,{"9" * 40}\n'), ValueError, 'a label is too large')


def test_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    write(tmp_path / 'a.json', GOOD)
    assert read_label_file('~/a.json', 5, 4).tolist() == GOOD


@pytest.mark.parametrize(
    ('name', 'content'),
    [('a.npy', np.array(GOOD)), ('a.json', GOOD), ('a.csv', '0,3\n1,0\n2,2\n3,1\n4,1\n')],
)
def test_wrong_length(tmp_path, name, content):
    path = write(tmp_path / name, content)
    check_refused(path, ValueError, 'has 5 labels', 'expected 6', num_samples=6)


@pytest.mark.parametrize(
    ('name', 'content', 'value'),
    [
        ('a.npy', np.array([3, 0, 4, 5, 1]), '4'),
        ('a.npy', np.array([3, 0, -1, 1, 1]), '-1'),
        ('a.npy', np.array([3, 0, 2**63, 1, 1], dtype=np.uint64), str(2**63)),
        ('a.json', [3, 0, 4, 1, 1], '4'),
        ('a.csv', '0,3\n1,0\n2,-7\n3,1\n4,1\n', '-7'),
    ],
)
def test_label_outside_the_classes(tmp_path, name, content, value):
    path = write(tmp_path / name, content)
    check_refused(path, ValueError, f'label {value} at index 2', 'outside 0..3')


@pytest.mark.parametrize(
    ('name', 'content', 'parts'),
    [
        ('a.npy', np.array(GOOD, dtype=float), ['float64', 'whole numbers']),
        ('a.npy', np.array(GOOD) > 0, ['bool']),
        ('a.npy', np.array(['a'] * 5), ['<U1']),
        ('a.json', [3, 0, 2.0, 1, 1], ['2.0 at index 2', 'float']),
        ('a.json', [3, True, 2, 1, 1], ['True at index 1', 'bool']),
        ('a.json', [3, [0], 2, 1, 1], ['[0] at index 1', 'list']),
        ('a.json', 'null', ['list of integers', 'NoneType']),
        ('a.csv', '0,3\n1,0.0\n', ["'0.0' in line 2"]),
    ],
)
def test_labels_are_not_integers(tmp_path, name, content, parts):
    check_refused(write(tmp_path / name, content), TypeError, *parts)


@pytest.mark.parametrize(
    ('name', 'content', 'parts'),
    [
        ('a.npy', np.array([[3, 0, 2, 1, 1]]), ['(1, 5)', '(N,)']),
        ('a.npy', np.array([None] * 5), ['pickled objects']),
        ('a.npy', b'', ['.npy']),
        ('a.npy', 'no array', ['.npy']),
        ('a.json', '[1, 2', ['not a readable .json file']),
        ('a.json', [10**30] * 5, ['too large']),
        ('a.csv', '', ['empty']),
        ('a.csv', b'\xff\xfe\x00', ['table']),
        ('a.csv', '0,1,2\n', ['two columns', 'got 3']),
        ('a.csv', 'image,label\n0,1\n', ['sample_idx', 'index', "['image', 'label']"]),
        ('a.csv', 'sample_idx,true_label\n0,1\n', ['given_label', "'true_label'"]),
        ('a.csv', '0,3\n1\n', ['line 2', "['1']"]),
        ('a.csv', '0,3\n1,0\n1,2\n', ['line 3', 'index 1 a second time']),
        ('a.csv', '0,3\n1,0\n5,2\n', ['index 2 is missing', '0..2']),
        ('a.csv', '1,3\n2,0\n3,2\n', ['index 0 is missing']),
        ('a.txt', '0\n1\n', ["unknown suffix '.txt'", '.csv', '.json', '.npy']),
    ],
)
def test_damaged_file(tmp_path, name, content, parts):
    check_refused(write(tmp_path / name, content), ValueError, *parts)


@pytest.mark.parametrize(
    ('content', 'told'),
    [
        (
            {str(i): 1 for i in range(5000)},
            'one value for each of 5000 keys (0, 1, 2, 3, 4, 5, 6, 7 and 4,992 more); labels must be a list',
        ),
        ({'cats/1.jpg': 'cat'}, 'one value for each of 1 keys (cats/1.jpg); labels must be a list'),
        ({'a' * 500: [1]}, f'has {"a" * 100}...; name the given labels by label_key'),
        ({str(i): GOOD for i in range(9)}, 'has 0, 1, 2, 3, 4, 5, 6, 7 and 1 more; name the given labels by label'),
        ({}, 'has nothing; name the given labels by label_key'),
    ],
)
def test_object_of_many_keys(tmp_path, content, told):
    path = write(tmp_path / 'a.json', content)
    check_refused(path, ValueError, told)
    with pytest.raises(ValueError, match=r'^.{1,400}$'):
        read_label_file(path, 5, 4)


def test_archive_under_the_name_of_an_array(tmp_path):
    with (tmp_path / 'a.npy').open('wb') as file:
        np.savez(file, labels=np.array(GOOD))
    check_refused(tmp_path / 'a.npy', TypeError, 'archive')


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path / 'a.npy'))):
        read_label_file(tmp_path / 'a.npy', 5, 4)
    (tmp_path / 'b.npy').mkdir()
    with pytest.raises(FileNotFoundError, match='not a file'):
        read_label_file(tmp_path / 'b.npy', 5, 4)
