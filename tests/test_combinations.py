# SPDX-License-Identifier: Apache-2.0
"""docs/combinations.md says what goes together: its table is the test."""

import re
from pathlib import Path

import pytest
from combination_cases import CASES, Shop

PAGE = Path(__file__).resolve().parents[1] / 'docs' / 'combinations.md'
ROW = re.compile(r'\| `([a-z0-9-]+)` \| (.+) \| (works|works, .+|refused: `(.+)`) \|')


def rows() -> dict[str, str | None]:
    """What the page says of each case: None where it works, else what one is told. ``…`` stands for anything."""
    found = {}
    for line in PAGE.read_text(encoding='utf-8').splitlines():
        row = ROW.fullmatch(line)
        assert row or not line.startswith('| `'), f'no row of three cells: {line}'
        if row:
            assert row[1] not in found, f'{row[1]} has two rows'
            found[row[1]] = row[4]
    return found


ROWS = rows()


@pytest.fixture
def shop(tmp_path, monkeypatch, request):
    """Where cases train; see :class:`Shop`."""
    monkeypatch.setattr('mmengine.device.utils.DEVICE', 'cpu')
    # mmengine collects garbage for each data set, which takes longer than all the rest.
    monkeypatch.setattr('gc.collect', lambda *args: 0)
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **kwargs: (text, False), raising=False)
    return Shop(tmp_path, monkeypatch, lambda: request.getfixturevalue('four_processes'))


def test_rows_and_cases_are_the_same():
    assert sorted(ROWS) == sorted(CASES)


@pytest.mark.parametrize('name', sorted(CASES))
def test_row(name, shop):
    told, expected = CASES[name](shop), ROWS[name]
    if expected is None:
        assert told is None, told
    else:
        pattern = '.*'.join(re.escape(part) for part in expected.split('…'))
        assert told is not None and re.fullmatch(pattern, told), told
