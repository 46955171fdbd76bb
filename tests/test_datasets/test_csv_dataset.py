# SPDX-License-Identifier: Apache-2.0
"""Tables of paths and labels."""

import re

import pytest
from mmpretrain.registry import DATASETS
from tree_builders import write_image, write_lines

from tcl_plugin.datasets import CSVDataset

HEADER = 'img_path,gt_label'
# Serialising would collect garbage for each data set, and take longer than all the rest.
COMMON = dict(pipeline=[dict(type='LoadImageFromFile')], serialize_data=False)


@pytest.fixture
def folder(tmp_path):
    for i, name in enumerate(['cats/1.jpg', 'dogs/7.png', 'cats/a, b.jpg']):
        write_image(tmp_path / name, i, 3)
    return tmp_path


def build(folder, *rows, header=HEADER, **kwargs):
    write_lines(folder / 'table.csv', [header, *rows])
    return CSVDataset('table.csv', data_root=str(folder), **COMMON, **kwargs)


def labels(dataset):
    return dataset.get_gt_labels().tolist()


def test_names_of_classes(folder):
    dataset = build(folder, 'dogs/7.png,dog', 'cats/1.jpg,cat', '"cats/a, b.jpg",cat')
    assert dataset.CLASSES == ('cat', 'dog') and labels(dataset) == [1, 0, 0]
    assert dataset[0]['img_path'] == str(folder / 'dogs' / '7.png')
    assert [dataset[i]['img'].shape for i in range(3)] == [(12, 12, 3)] * 3


def test_other_columns_spaces_and_a_byte_order_mark(folder):
    dataset = build(folder, 'x, cat ,cats/1.jpg', header='\ufeffnote,gt_label,img_path')
    assert dataset.CLASSES == ('cat',) and labels(dataset) == [0]


def test_numbers(folder):
    dataset = build(folder, 'dogs/7.png,2', 'cats/1.jpg,0')
    assert dataset.CLASSES == ('0', '1', '2') and labels(dataset) == [2, 0]
    # Some of them names: so are all.
    dataset = build(folder, 'dogs/7.png,-1', 'cats/1.jpg,cat')
    assert dataset.CLASSES == ('-1', 'cat') and labels(dataset) == [0, 1]


def test_given_classes(folder):
    rows = ('dogs/7.png,dog', 'cats/1.jpg,cat')
    assert labels(build(folder, *rows, classes=['dog', 'hen', 'cat'])) == [0, 2]
    assert labels(build(folder, 'dogs/7.png,2', classes=['dog', 'hen', 'cat'])) == [2]
    # A number may be a name.
    assert labels(build(folder, 'dogs/7.png,1', 'cats/1.jpg,0', classes=['1', '0'])) == [0, 1]
    assert labels(build(folder, 'dogs/7.png,-1', 'cats/1.jpg,1.5', classes=['1.5', '-1'])) == [1, 0]
    # A place among them, whatever they are called.
    assert labels(build(folder, 'dogs/7.png,#1', 'cats/1.jpg,#0', classes=['1', '0'])) == [1, 0]
    assert labels(build(folder, 'dogs/7.png,#1', 'cats/1.jpg,##1', classes=['#1', '0'])) == [0, 1]
    assert labels(build(folder, 'dogs/7.png,#10', 'cats/1.jpg,#2')) == [10, 2]
    names = write_lines(folder / 'classes.txt', ['hen', 'cat', 'dog'])
    assert labels(build(folder, *rows, classes=str(names))) == [2, 1]
    with pytest.raises(
        ValueError, match=r"table.csv: line 3: 'cat' is neither one of the 1 classes \(dog\) nor a num"
    ):
        build(folder, *rows, classes=['dog'])
    with pytest.raises(ValueError, match=r"line 2: '3' is neither one of the 3 classes .* nor a number below 3"):
        build(folder, 'dogs/7.png,3', classes=['dog', 'hen', 'cat'])
    with pytest.raises(ValueError, match=r"line 2: '#3' is neither one of the 3 classes"):
        build(folder, 'dogs/7.png,#3', classes=['dog', 'hen', 'cat'])
    with pytest.raises(ValueError, match="line 2 has the number 0, but line 3 the name 'cat': labels must"):
        build(folder, 'dogs/7.png,0', 'cats/1.jpg,cat', classes=['dog', 'hen', 'cat'])
    with pytest.raises(ValueError, match=r"line 3: '0' is neither one of the 2 classes"):
        build(folder, 'dogs/7.png,#1', 'cats/1.jpg,0', classes=['cat', 'dog'])


def test_names_beside_places_must_agree(folder):
    """As in lists of an audit, which another training reads."""
    header, rows = f'{HEADER},gt_class', ('dogs/7.png,#1,dog', "cats/1.jpg,#0,'=cat")
    assert labels(build(folder, *rows, header=header, classes=['=cat', 'dog'])) == [1, 0]
    assert labels(build(folder, *rows, header=header)) == [1, 0]
    for classes in (['dog', '=cat'], ['=cat', 'bird', 'dog']):
        with pytest.raises(ValueError, match=r"table.csv: line 2: gt_label #1 is '.*' among .* gt_class says 'dog'"):
            build(folder, *rows, header=header, classes=classes)
    # Where labels are names, the column is anything; so is an empty cell.
    assert labels(build(folder, 'dogs/7.png,dog,pet', header=header, classes=['cat', 'dog'])) == [1]
    assert labels(build(folder, 'dogs/7.png,1,', header=header, classes=['cat', 'dog'])) == [1]


def test_classes_in_a_file(folder):
    write_lines(folder / 'classes.txt', ['\ufeffcat', 'dog ', '', ''])
    dataset = build(folder, 'dogs/7.png,dog', 'cats/1.jpg,cat', classes=str(folder / 'classes.txt'))
    assert dataset.CLASSES == ('cat', 'dog') and labels(dataset) == [1, 0]


def test_wrapped(folder):
    write_lines(folder / 'table.csv', [HEADER, 'dogs/7.png,dog', 'cats/1.jpg,cat'])
    noisy = DATASETS.build(
        dict(type='NoisyLabelDataset', dataset=dict(type='CSVDataset', ann_file='table.csv', data_root=str(folder)))
    )
    assert noisy.given_labels.tolist() == [1, 0] and noisy.num_classes == 2 and noisy.true_labels is None


@pytest.mark.parametrize('path', ['../x.jpg', 'cats/../../x.jpg', '/etc/x.jpg', '.'])
def test_path_must_stay_inside(folder, path):
    with pytest.raises(ValueError, match=f'line 3: {re.escape(path)} leaves the folder of the images, {folder}'):
        build(folder, 'cats/1.jpg,cat', f'{path},cat')


def test_path_may_be_absolute_and_prefix_is_a_folder_below(folder):
    assert build(folder, f'{folder}/cats/1.jpg,cat')[0]['img'].shape == (12, 12, 3)
    assert build(folder, '1.jpg,cat', data_prefix='cats')[0]['img_path'] == str(folder / 'cats' / '1.jpg')
    with pytest.raises(ValueError, match='leaves the folder'):
        build(folder, '../dogs/7.png,dog', data_prefix='cats')


def test_first_files_must_be_there(folder):
    rows = ['cats/1.jpg,cat'] * 10 + ['cats/2.jpg,cat']
    with pytest.raises(FileNotFoundError, match=f'line 3: there is no image {folder}/cats/2.jpg'):
        build(folder, rows[0], rows[-1])
    dataset = build(folder, *rows)
    with pytest.raises(FileNotFoundError, match=f'{folder}/cats/2.jpg'):
        dataset[10]
    with pytest.raises(FileNotFoundError, match=f'line 12: there is no image {folder}/cats/2.jpg'):
        build(folder, *rows, check_files=None)
    assert len(build(folder, rows[-1], check_files=0)) == 1


@pytest.mark.parametrize(
    ('header', 'rows', 'message'),
    [
        (
            'path,label',
            ['a.jpg,0'],
            r"the first line must name the columns img_path and gt_label, got \['path', 'label'\]",
        ),
        ('cats/1.jpg,0', [], 'the first line must name the columns img_path and gt_label'),
        (HEADER, [], 'has a header, but no images'),
        (HEADER, ['cats/1.jpg'], 'line 2 has no gt_label'),
        (HEADER, ['cats/1.jpg,cat', ' ,cat'], 'line 3 has no img_path'),
        (HEADER, ['cats/1.jpg,0', 'dogs/7.png,-1'], "line 3: label '-1': numbers must be whole and from 0 on"),
        (HEADER, ['cats/1.jpg,10.0', 'dogs/7.png,2.0'], "line 2: label '10.0': numbers must be whole and from 0 on"),
        (HEADER, ['cats/1.jpg,20260101'], 'label 20260101 would make 20260102 classes; set classes'),
    ],
)
def test_table_that_cannot_be_read(folder, header, rows, message):
    with pytest.raises(ValueError, match=f'table.csv: {message}'):
        build(folder, *rows, header=header)


def test_what_is_missing_is_named(folder):
    with pytest.raises(FileNotFoundError, match=f'table {folder}/no.csv does not exist'):
        CSVDataset('no.csv', data_root=str(folder))
    with pytest.raises(FileNotFoundError, match=f'folder of the images {folder}/no does not exist'):
        build(folder, '1.jpg,cat', data_prefix='no')
    (folder / 'table.csv').write_bytes(b'img_path,gt_label\n\xff\xfe,1\n')
    with pytest.raises(ValueError, match=r'table.csv: not a readable table: .*utf-8'):
        CSVDataset('table.csv', data_root=str(folder))
