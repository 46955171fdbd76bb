# SPDX-License-Identifier: Apache-2.0
"""docs/errors.md says what each mistake is told: its tables are the test."""

import re
from pathlib import Path

import pytest
from error_cases import CASES, Desk

PAGE = Path(__file__).resolve().parents[1] / 'docs' / 'errors.md'
ROW = re.compile(r'\| `([a-z0-9-]+)` \| (.+) \| (?:`(.+)`|(accepted: .+)) \|')


def rows() -> dict[str, str]:
    """What the page says of each case. ``…`` stands for anything."""
    found = {}
    for line in PAGE.read_text(encoding='utf-8').splitlines():
        row = ROW.fullmatch(line)
        assert row or not line.startswith('| `'), f'no row of three cells: {line}'
        if row:
            assert row[1] not in found, f'{row[1]} has two rows'
            found[row[1]] = row[3] or row[4]
    return found


ROWS = rows()


@pytest.fixture
def desk(tmp_path, monkeypatch, capfd):
    """An empty working directory, with nothing of a launcher in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ('RANK', 'WORLD_SIZE', 'SLURM_PROCID', 'TCL_TRACEBACK', 'TCL_TRUST_CONFIG'):
        monkeypatch.delenv(name, raising=False)
    # Given beforehand, so that what a tool sets is undone afterwards.
    monkeypatch.setenv('LOCAL_RANK', '0')
    return Desk(tmp_path, monkeypatch, capfd)


def test_rows_and_cases_are_the_same():
    assert sorted(ROWS) == sorted(CASES)
    assert len(ROWS) >= 40


@pytest.mark.parametrize('name', sorted(ROWS))
def test_row(name, desk):
    told = CASES[name](desk)
    expected = '.*'.join(re.escape(part) for part in ROWS[name].split('…'))
    assert re.fullmatch(expected, told), told
    assert not (desk.folder / 'trace').exists(), 'code has run'
