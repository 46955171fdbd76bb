# SPDX-License-Identifier: Apache-2.0
"""The demo, cut down to seconds, and the curves drawn from what it leaves."""

import csv

import pytest
from toolbox import ROOT, TINY, load_file


@pytest.fixture(scope='module')
def demo_tool():
    return load_file(ROOT / 'tools' / 'demo.py')


@pytest.fixture(scope='module')
def plot_tool():
    return load_file(ROOT / 'tools' / 'plot.py')


def test_demo_compares_both_methods(demo_tool, plot_tool, workplace, capsys, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    assert demo_tool.main(['--cfg-options', *TINY]) == 0
    text = capsys.readouterr().out
    assert text.count('epoch   2') == 2
    head, *rows = text[text.index("scikit-learn's digits") :].splitlines()
    assert '2 epochs, seed 0' in head
    methods = [row.split()[0] for row in rows if row.count('%') == 3]
    assert methods == ['TCL', 'cross-entropy']
    assert "AUC of TCL's noise detection: 0." in text
    # Every file that the table names is there.
    paths = [word for row in rows for word in row.split() if word.startswith('work_dirs/')]
    assert len(paths) == 5 and all((workplace / path).is_file() for path in paths)
    with open(paths[-1], newline='') as file:
        assert len(list(csv.DictReader(file))) == 64

    assert (
        plot_tool.main(
            ['TCL=work_dirs/demo/seed0/tcl_digits_sym80', 'work_dirs/demo/seed0/ce_digits_sym80']
            + ['--out', 'curves.png']
        )
        == 0
    )
    assert (workplace / 'curves.png').read_bytes().startswith(b'\x89PNG')


def test_demo_says_why_it_failed(demo_tool, workplace, capsys):
    assert demo_tool.main(['--cfg-options', 'model.head.type=Nonesuch']) == 2
    assert 'Nonesuch' in capsys.readouterr().err


def test_plot_refuses_what_it_cannot_read(plot_tool, workplace, capsys):
    assert plot_tool.main(['gone', '--out', 'c.png']) == 2
    assert 'error: gone is no work directory' in capsys.readouterr().err
    assert plot_tool.main(['a/x', 'b/x', '--out', 'c.png']) == 2
    assert 'same name' in capsys.readouterr().err
