# SPDX-License-Identifier: Apache-2.0
"""The table that the command line asks for, of the runs that have come to their end."""

import csv

import pytest
from toolbox import ROOT, load_file
from written_runs import write_run

from tcl_plugin.reports.tables import VALUES


@pytest.fixture(scope='module')
def tool():
    return load_file(ROOT / 'tools' / 'results.py')


@pytest.fixture
def runs(workplace):
    """Two seeds of a method, the second of which was stopped half-way, and a run of another."""
    write_run(workplace / 'w', 'tcl_digits_sym80', [90.0, 80.0, 70.0, 76.0], seed=0)
    write_run(workplace / 'w', 'tcl_digits_sym80', [50.0, 40.0], seed=1, epochs=4)
    write_run(workplace / 'w', 'ce_digits_sym80', [60.0, 30.0, 20.0, 25.0], seed=0)


def printed(tool, capsys, *argv):
    """Rows of the table, and what was said beside it."""
    assert tool.main(['w', '--format', 'csv', *argv]) == 0
    out, err = capsys.readouterr()
    return list(csv.DictReader(out.splitlines())), err


def test_a_run_that_was_stopped_is_left_out_unless_asked_for(tool, runs, capsys):
    rows, said = printed(tool, capsys)
    assert sorted((row['method'], row['seeds'], row['last (%)']) for row in rows) == [
        ('ce', '0', '25.0'),
        ('tcl', '0', '76.0'),
    ]
    assert said == 'left out: w/tcl_digits_sym80/seed1 has trained 2 of 4 epochs\n'
    rows, said = printed(tool, capsys, '--each', '--unfinished')
    assert sorted((row['method'], row['seeds'], row['epochs'], row['last (%)']) for row in rows) == [
        ('ce', '0', '4', '25.0'),
        ('tcl', '0', '4', '76.0'),
        ('tcl', '1', '2', '40.0'),
    ]
    assert said == ''


def test_a_run_without_its_config_is_left_out(tool, runs, workplace, capsys):
    (workplace / 'w/ce_digits_sym80/seed0/ce_digits_sym80.py').unlink()
    rows, said = printed(tool, capsys)
    assert [row['method'] for row in rows] == ['tcl'] and 'left out: w/ce_digits_sym80/seed0 has no config' in said


def test_methods_against_noises(tool, runs, capsys):
    rows, _ = printed(tool, capsys, '--pivot', 'best')
    assert sorted((row['method'], row['sym80']) for row in rows) == [('ce', '60.0'), ('tcl', '90.0')]
    assert tool.main(['w', '--pivot', 'first']) == 2
    error = capsys.readouterr().err
    assert all(value in error for value in VALUES)


def test_a_file_takes_the_place_of_the_terminal(tool, runs, workplace, capsys):
    assert tool.main(['w']) == 0
    table = capsys.readouterr().out
    assert tool.main(['w', '--out', 'new/table.md']) == 0
    assert capsys.readouterr().out == '' and (workplace / 'new' / 'table.md').read_text() == table
    assert table.startswith('| method | data | noise |')


def test_nothing_but_runs_that_were_stopped(tool, workplace, capsys):
    write_run(workplace / 'w', 'tcl_digits_sym80', [50.0], epochs=4)
    assert tool.main(['w']) == 2
    assert 'error: no finished training with a measured accuracy in w' in capsys.readouterr().err
