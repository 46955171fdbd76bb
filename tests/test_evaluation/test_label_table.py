# SPDX-License-Identifier: Apache-2.0
"""A table comes back as it was written, and a reader never sees half of one."""

import csv
from dataclasses import fields

import numpy as np
import pytest

from tcl_plugin.evaluation import LabelTable, columns, label_table, read_label_table, write_label_table


def make_table(**more):
    return LabelTable(
        sample_idx=np.arange(3),
        given_label=np.array([2, 0, 1]),
        predicted_label=np.array([2, 1, 1]),
        predicted_prob=np.array([0.9, 0.123456789, 1.0]),
        label_quality=np.array([0.5, 1e-9, 1.0]),
        clean_prob=np.array([0.75, 0.0, 1.0]),
        is_label_issue=np.array([False, True, False]),
        **more,
    )


def test_round_trip(tmp_path):
    # Names as people have them: with a comma, a quotation mark, and no ASCII.
    paths = ['a,b.png', 'c "d".png', 'é/ü.png']
    suggested = dict(suggested_label=np.array([2, 1, 1]), suggested_prob=np.array([0.5, 0.75, 1.0]))
    suggested['score'] = np.array([0.25, 1e-9, 1.0])
    table = make_table(
        true_label=np.array([2, -1, 1]), image_idx=np.array([4, 0, 9]), img_path=np.array(paths), **suggested
    )
    names = np.array(['cat', 'dog', 'cow'])
    table.given_class, table.predicted_class, table.suggested_class = names[[2, 0, 1]], names[[2, 1, 1]], names
    write_label_table(tmp_path / 'table.csv', table)
    found = read_label_table(tmp_path / 'table.csv')
    for field in fields(LabelTable):
        written, read = getattr(table, field.name), getattr(found, field.name)
        assert read.dtype.kind == written.dtype.kind, field.name
        if read.dtype.kind == 'f':
            np.testing.assert_allclose(read, written, rtol=1e-5)
        else:
            assert read.tolist() == written.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ['table.csv']


def test_file_as_spreadsheets_read_it(tmp_path):
    write_label_table(tmp_path / 'table.csv', make_table())
    assert (tmp_path / 'table.csv').read_bytes().decode().split('\n') == [
        'sample_idx,given_label,predicted_label,label_quality,clean_prob,is_label_issue,predicted_prob',
        '0,2,2,0.5,0.75,False,0.9',
        '1,0,1,1e-09,0,True,0.123457',
        '2,1,1,1,1,False,1',
        '',
    ]
    found = read_label_table(tmp_path / 'table.csv')
    assert found.true_label is None and found.img_path is None


def test_columns_as_cleanlab_names_them(tmp_path):
    suggested = dict(suggested_label=np.array([2, 1, 1]), suggested_prob=np.array([0.5, 0.75, 1.0]))
    suggested['score'] = np.array([0.25, 1e-9, 1.0])
    table = make_table(img_path=['a.png', None, 'c.png'], **suggested).with_classes(['cat', 'dog', 'a, b'])
    write_label_table(tmp_path / 'table.csv', table)
    assert (tmp_path / 'table.csv').read_text().split('\n')[:3] == [
        'sample_idx,img_path,given_label,predicted_label,label_quality,score,clean_prob,is_label_issue,'
        'suggested_label,suggested_prob,given_class,predicted_class,suggested_class,predicted_prob',
        '0,a.png,2,2,0.5,0.25,0.75,False,2,0.5,"a, b","a, b","a, b",0.9',
        '1,,0,1,1e-09,1e-09,0,True,1,0.75,cat,dog,dog,0.123457',
    ]
    assert read_label_table(tmp_path / 'table.csv').given_class.tolist() == ['a, b', 'cat', 'dog']
    assert make_table().with_classes(['x', 'y', 'z']).suggested_class is None
    assert make_table().with_classes(None).given_class is None


HOSTILE = [
    '=1+1',
    '+1',
    '-1',
    '@sum',
    '\tx',
    '\rx',
    '\nx',
    '＝1',
    '＋1',
    '－1',
    '＠1',
    "'=1",
    "''-1",
    "'quoted'",
    "'",
    '',
    'a\rb',
    '="a",1',
    'é',
]


def test_names_that_look_like_formulas(tmp_path):
    """No cell begins as a formula does, and every name comes back."""
    count = len(HOSTILE)
    label = np.arange(count)
    table = LabelTable(
        sample_idx=label,
        given_label=label,
        predicted_label=label,
        suggested_label=label,
        is_label_issue=label > 3,
        **dict.fromkeys(['predicted_prob', 'label_quality', 'clean_prob', 'suggested_prob'], label / count),
        img_path=HOSTILE[::-1],
    ).with_classes(HOSTILE)
    write_label_table(tmp_path / 'table.csv', table)
    found = read_label_table(tmp_path / 'table.csv')
    for name in ('given_class', 'predicted_class', 'suggested_class'):
        assert getattr(found, name).tolist() == HOSTILE
    assert found.img_path.tolist() == HOSTILE[::-1]
    with (tmp_path / 'table.csv').open(newline='', encoding='utf-8') as file:
        cells = [row['given_class'] for row in csv.DictReader(file)]
    assert not [cell for cell in cells if cell[:1] in set('=+-@\t\r\n＝＋－＠')]
    # Only what needs it is changed.
    assert [cell for cell, name in zip(cells, HOSTILE, strict=True) if cell == name] == [
        "'quoted'",
        "'",
        '',
        'a\rb',
        'é',
    ]


@pytest.mark.parametrize('text', HOSTILE)
def test_each_of_them_alone(tmp_path, text):
    """Where nothing else in the column has to be escaped or quoted."""
    columns.write_columns(tmp_path / 'table.csv', {'number': np.arange(2), 'name': ['plain', text]})
    with (tmp_path / 'table.csv').open(newline='', encoding='utf-8') as file:
        cells = [row[1] for row in csv.reader(file)]
    assert cells == ['name', 'plain', columns.escape_cell(text)]


def test_many_rows_are_written_and_read_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, 'ROWS_AT_ONCE', 2)
    monkeypatch.setattr(label_table, 'ROWS_AT_ONCE', 2)
    write_label_table(tmp_path / 'table.csv', make_table(img_path=['a', 'b', '=c']))
    found = read_label_table(tmp_path / 'table.csv')
    assert found.given_label.tolist() == [2, 0, 1] and found.img_path.tolist() == ['a', 'b', '=c']


def test_table_of_an_earlier_release(tmp_path):
    path = tmp_path / 'table.csv'
    path.write_text(
        'sample_idx,given_label,predicted_label,predicted_prob,label_quality,clean_prob,is_label_issue,true_label\n'
        '0,2,1,0.9,0.25,0.125,True,1\n'
    )
    found = read_label_table(path)
    assert found.suggested_label is None and found.given_class is None
    assert (found.true_label, found.is_label_issue, found.clean_prob) == ([1], [True], [0.125])


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / 'table.csv'
    write_label_table(path, make_table())
    before = path.read_bytes()
    with pytest.raises(ValueError, match='shorter'):
        write_label_table(path, make_table(true_label=np.array([1, 2])))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    'content',
    ['', 'a,b\n1,2\n', 'sample_idx,clean_prob\n0,0.5\n', 'sample_idx,given_label\n0,1\n'],
    ids=['empty', 'other columns', 'columns missing', 'no clean_prob'],
)
def test_other_files(tmp_path, content):
    path = tmp_path / 'table.csv'
    path.write_text(content)
    with pytest.raises(ValueError, match=r'table\.csv is not a table of label quality'):
        read_label_table(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_label_table(tmp_path / 'table.csv')


def test_no_rows(tmp_path):
    empty = {field.name: np.array([]) for field in fields(LabelTable)}
    write_label_table(tmp_path / 'table.csv', LabelTable(**empty))
    assert len(read_label_table(tmp_path / 'table.csv').clean_prob) == 0
