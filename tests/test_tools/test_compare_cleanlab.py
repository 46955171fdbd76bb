# SPDX-License-Identifier: Apache-2.0
"""The comparison with cleanlab, on the predictions of a run and on labels that are known."""

import shutil

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score
from toolbox import ROOT, load_file

from tcl_plugin.evaluation import read_label_table, write_label_table


@pytest.fixture(scope='module')
def tool():
    return load_file(ROOT / 'tools' / 'compare_cleanlab.py')


def test_a_run(tool, trained, capsys):
    pytest.importorskip('cleanlab')
    assert tool.main([str(trained), '--device', 'cpu']) == 0
    printed = capsys.readouterr().out.splitlines()
    assert all(line.startswith('|') for line in printed)
    lines = [line.strip('| ').split(' | ') for line in printed]
    figures = {cells[0]: cells[1:] for cells in lines}
    table = read_label_table(trained / 'label_quality.csv')
    wrong = table.given_label != table.true_label
    for name, quality, issue in (
        ('label_quality', table.label_quality, table.is_label_issue),
        ('clean_prob, of the detector', table.score, table.clean_prob <= 0.5),
    ):
        assert float(figures[name][0]) == pytest.approx(roc_auc_score(~wrong, quality), abs=5e-3)
        assert float(figures[name][3]) == pytest.approx(f1_score(wrong, issue), abs=5e-3)
    assert sum(name.startswith('cleanlab') for name in figures) == 5


def test_rows_of_cleanlab_are_what_their_names_say(tool):
    filtering = pytest.importorskip('cleanlab.filter')
    rng = np.random.default_rng(0)
    true = rng.integers(4, size=400)
    given = np.where(rng.random(400) < 0.3, rng.integers(4, size=400), true)
    probs = rng.dirichlet(np.ones(4), 400) + 0.4 * np.eye(4)[true]
    probs /= probs.sum(axis=1, keepdims=True)
    rows = {name: found for name, *found in tool.by_cleanlab(probs, given)}
    assert list(rows) == [f'cleanlab, {name}' for name in tool.FILTERS] and len(rows) == 5
    own = probs[np.arange(400), given]
    best_other = np.where(np.eye(4, dtype=bool)[given], -1, probs).max(axis=1)
    ways = dict(self_confidence=own, normalized_margin=(own - best_other + 1) / 2)
    for name, method in tool.FILTERS.items():
        quality, issue = rows[f'cleanlab, {name}']
        np.testing.assert_allclose(quality, ways[method], atol=1e-6, err_msg=name)
        expected = filtering.find_label_issues(given, probs, filter_by=name, n_jobs=1)
        assert issue.dtype == bool and (issue == expected).all() and issue[given != true].mean() > 0.3, name
    assert len({int(issue.sum()) for _, issue in rows.values()}) > 2


def test_figures_of_several_runs(tool):
    wrong = np.array([True, True, False, False])
    perfect = tool.measure(np.array([0.1, 0.2, 0.8, 0.9]), wrong, wrong)
    assert perfect == [1, 1, 1, 1, 50]
    worse = tool.measure(np.array([0.1, 0.85, 0.8, 0.9]), np.array([True, False, False, True]), wrong)
    assert worse == pytest.approx([0.75, 0.5, 0.5, 0.5, 50])
    table = tool.to_table([dict(way=perfect), dict(way=worse)])
    assert table[1] == ['way', '0.8750 ± 0.1768', '0.750 ± 0.354', '0.750 ± 0.354', '0.7500 ± 0.3536', '50.0 ± 0.0']
    assert tool.to_table([dict(way=perfect)])[1][1] == '1.0000'


def test_refusals(tool, trained, tmp_path, capsys):
    assert tool.main([str(tmp_path)]) == 2 and 'a LabelNoiseHook with a detector writes it' in capsys.readouterr().err
    run = tmp_path / 'run'
    shutil.copytree(trained, run)
    table = read_label_table(run / 'label_quality.csv')
    table.predicted_label = (table.predicted_label + 1) % 10
    write_label_table(run / 'label_quality.csv', table)
    assert tool.main([str(run), '--device', 'cpu']) == 2 and 'is not of the last checkpoint' in capsys.readouterr().err
    table.true_label = table.given_label
    write_label_table(run / 'label_quality.csv', table)
    assert tool.main([str(run)]) == 2 and 'nothing to compare' in capsys.readouterr().err
