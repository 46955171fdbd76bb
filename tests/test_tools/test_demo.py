# SPDX-License-Identifier: Apache-2.0
"""The demo, cut down to seconds, and the curves drawn from what it leaves."""

import csv

import pytest
from toolbox import ROOT, TINY, load_file

from tcl_plugin.reports import RunRecord, find_runs, read_run


@pytest.fixture(scope='module')
def demo_tool():
    return load_file(ROOT / 'tools' / 'demo.py')


@pytest.fixture(scope='module')
def plot_tool():
    return load_file(ROOT / 'tools' / 'plot.py')


def test_demo_compares_both_methods(demo_tool, plot_tool, workplace, capsys, monkeypatch):
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    assert demo_tool.main(['--seeds', '3', '--cfg-options', *TINY]) == 0
    text = capsys.readouterr().out
    assert text.count('epoch   2') == 2
    head, *rows = text[text.index("scikit-learn's digits") :].splitlines()
    assert '2 epochs, seed 3' in head
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
            ['TCL=work_dirs/demo/seed3/tcl_digits_sym80', 'work_dirs/demo/seed3/ce_digits_sym80']
            + ['--out', 'curves.png']
        )
        == 0
    )
    for run in (read_run(work_dir) for work_dir in find_runs(['work_dirs/demo'])):
        assert (run.seed, run.data_seeds) == (3, (3,))
    assert (workplace / 'curves.png').read_bytes().startswith(b'\x89PNG')


def test_every_figure_of_the_table_is_that_of_its_run(demo_tool, tmp_path):
    """Of made-up records, all of whose figures differ."""
    results = {}
    for number, (method, name) in enumerate(demo_tool.METHODS.items(), 1):
        folder = tmp_path / name
        (folder / '1').mkdir(parents=True)
        (folder / '1' / '1.log').touch()
        (folder / 'last_checkpoint').write_text(rf'C:\gone\epoch_{number}.pth')
        scalars = {
            'accuracy/top1': {1: 90.0 + number, 2: 40.0 + number},
            'label_noise/noise_rate': {1: 0.5, 2: 0.7},
            'label_noise/wrong_labels_fitted': {1: 0.2, 2: number / 100},
            'label_noise/score_auc': {1: 0.5, 2: 0.9 + number / 100},
        }
        results[method] = demo_tool.Result(RunRecord(folder, scalars), 10.0 * number)
    text = demo_tool.table(results, 7)
    assert "scikit-learn's digits, 70.0 % of the training labels wrong, 2 epochs, seed 7" in text
    rows = [line.replace('%', '').split() for line in text.splitlines() if line.count('%') == 3]
    assert rows == [['TCL', '41.0', '91.0', '1.0', '10', 's'], ['cross-entropy', '42.0', '92.0', '2.0', '20', 's']]
    assert "AUC of TCL's noise detection: 0.910" in text
    assert f'checkpoint {tmp_path / "tcl_digits_sym80" / "epoch_1.pth"}' in text


def test_demo_says_why_it_failed(demo_tool, workplace, capsys):
    assert demo_tool.main(['--cfg-options', 'model.head.type=Nonesuch']) == 2
    assert 'Nonesuch' in capsys.readouterr().err


def test_plot_refuses_what_it_cannot_read(plot_tool, workplace, capsys):
    assert plot_tool.main(['gone', '--out', 'c.png']) == 2
    assert 'error: gone is no work directory' in capsys.readouterr().err
    assert plot_tool.main(['a/x', 'b/x', '--out', 'c.png']) == 2
    assert 'same name' in capsys.readouterr().err
