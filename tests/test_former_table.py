# SPDX-License-Identifier: Apache-2.0
"""Where the table of a former training goes."""

import os
import time
from types import SimpleNamespace

import pytest

from tcl_plugin.cli import table_set_aside

NOW = '20260105_120000'


@pytest.mark.parametrize(
    ('pieces', 'written', 'place'),
    [
        (['20260101_120000'], '20260101_130000', '20260101_120000/label_quality.csv'),
        # A later training, by an earlier release, has written none.
        (['20260101_120000', '20260103_120000'], '20260102_120000', '20260101_120000/label_quality.csv'),
        (['20260101_120000', '20260103_120000'], '20260104_120000', '20260103_120000/label_quality.csv'),
        # Whose it is nobody knows.
        ([], '20260102_120000', f'label_quality_before_{NOW}.csv'),
        (['20260103_120000'], '20260102_120000', f'label_quality_before_{NOW}.csv'),
        ([NOW], '20260105_120000', f'label_quality_before_{NOW}.csv'),
    ],
)
def test_place(pieces, written, place, tmp_path, caplog):
    for name in pieces:
        (tmp_path / name / 'vis_data').mkdir(parents=True)
        (tmp_path / name / 'vis_data' / 'scalars.json').touch()
    table, seconds = tmp_path / 'label_quality.csv', time.mktime(time.strptime(written, '%Y%m%d_%H%M%S'))
    table.write_text('table')
    os.utime(table, (seconds, seconds))
    told = []
    runner = SimpleNamespace(work_dir=str(tmp_path), timestamp=NOW, logger=SimpleNamespace(info=told.append))
    for _ in range(2):
        with table_set_aside(runner):
            pass
    assert not table.exists() and (tmp_path / place).read_text() == 'table'
    assert told == [f'label_quality.csv of a training before this one is kept as {tmp_path / place}']


def test_a_table_that_is_kept_already_stays(tmp_path):
    (tmp_path / '20260101_120000' / 'vis_data').mkdir(parents=True)
    (tmp_path / '20260101_120000' / 'vis_data' / 'scalars.json').touch()
    runner = SimpleNamespace(work_dir=str(tmp_path), timestamp=NOW, logger=SimpleNamespace(info=print))
    for text in ('first', 'second'):
        (tmp_path / 'label_quality.csv').write_text(text)
        with table_set_aside(runner):
            pass
    assert (tmp_path / '20260101_120000' / 'label_quality.csv').read_text() == 'first'
    assert (tmp_path / f'label_quality_before_{NOW}.csv').read_text() == 'second'


@pytest.mark.parametrize('trained', [0, 1])
def test_a_training_that_ends_before_its_first_step_has_touched_nothing(trained, tmp_path):
    table = tmp_path / 'label_quality.csv'
    table.write_text('good')
    runner = SimpleNamespace(work_dir=str(tmp_path), timestamp=NOW, logger=SimpleNamespace(info=print), iter=trained)
    with pytest.raises(ValueError, match='shapes'), table_set_aside(runner):
        table.write_text('of an untrained network')
        raise ValueError('shapes')
    assert table.read_text() == ('of an untrained network' if trained else 'good')
    assert (tmp_path / f'label_quality_before_{NOW}.csv').exists() is bool(trained)
