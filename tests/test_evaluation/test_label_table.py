# SPDX-License-Identifier: Apache-2.0
"""A table comes back as it was written, and a reader never sees half of one."""

from dataclasses import fields

import numpy as np
import pytest

from tcl_plugin.evaluation import LabelTable, read_label_table, write_label_table


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
    table = make_table(true_label=np.array([2, -1, 1]), img_path=np.array(paths))
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
        'sample_idx,given_label,predicted_label,predicted_prob,label_quality,clean_prob,is_label_issue',
        '0,2,2,0.9,0.5,0.75,False',
        '1,0,1,0.123457,1e-09,0,True',
        '2,1,1,1,1,1,False',
        '',
    ]
    found = read_label_table(tmp_path / 'table.csv')
    assert found.true_label is None and found.img_path is None


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
