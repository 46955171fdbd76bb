# SPDX-License-Identifier: Apache-2.0
"""Every kind of picture is drawn from the work directory of a run, and what cannot be drawn is refused."""

import re
import shutil

import numpy as np
import pytest
from mmengine.config import Config
from toolbox import ROOT, load_file, logged

from tcl_plugin import saved_run
from tcl_plugin.datasets import NoisyLabelDataset
from tcl_plugin.detection import SmallLossDetector
from tcl_plugin.evaluation import read_label_table
from tcl_plugin.run_pictures import OpenRun, training_points
from tcl_plugin.saved_run import Outputs, open_run, training_outputs, training_set

KINDS = ['confusion', 'curves', 'gallery', 'histogram', 'tsne']


@pytest.fixture(scope='module')
def plot_tool():
    return load_file(ROOT / 'tools' / 'plot.py')


def texts(path):
    """What is written in a picture: matplotlib puts it into comments of an SVG file."""
    return re.findall(r'<!-- (.*?) -->', path.read_text(), re.DOTALL)


def test_all_kinds_of_one_run(plot_tool, trained, workplace, capsys):
    before = sorted(trained.rglob('*'))
    assert plot_tool.main([str(trained), '--kind', 'all', '--format', 'svg', '--out', 'p', '--device', 'cpu']) == 0
    assert sorted(path.stem for path in (workplace / 'p').iterdir()) == KINDS
    assert sorted(trained.rglob('*')) == before
    written = {kind: ' '.join(texts(workplace / 'p' / f'{kind}.svg')) for kind in KINDS}
    assert all('tcl · digits · sym80' in text for text in written.values())
    table = read_label_table(trained / 'label_quality.csv')
    rate = 100 * (table.given_label != table.true_label).mean()
    assert f'64 training samples, {rate:.1f} % of the labels wrong' in written['histogram']
    assert f'50 test images, accuracy {logged(trained, "accuracy/top1"):.1f} %' in written['confusion']
    assert '50 test images, by predicted class' in written['tsne']
    assert '64 training images, by true class' in written['tsne'] and 'given label wrong' in written['tsne']
    assert 'not trusted' in written['curves'] and 'contrast' in written['curves']
    called = int(table.is_label_issue.sum())
    assert f'the {min(called, 20)} most doubtful of {called} labels called wrong' in written['gallery']
    out = capsys.readouterr().out
    assert all(f'p/{kind}.svg' in out for kind in KINDS)


def test_a_terminal_shows_progress(plot_tool, trained, workplace, terminal):
    with terminal:
        assert plot_tool.main([str(trained), '--kind', 'confusion', '--out', 'c.png', '--device', 'cpu']) == 0
    assert 'test images' in terminal.seen and terminal.screen == []


def test_training_set_as_the_run_saw_it_last(trained):
    """Predictions of a part of the training set are those in the table that the run has left."""
    cfg, model = open_run(trained)
    dataset = training_set(cfg)
    outputs = training_outputs(cfg, model, dataset, most=20)
    table = read_label_table(trained / 'label_quality.csv')
    assert isinstance(dataset, NoisyLabelDataset) and len(np.unique(outputs.index)) == 20
    assert (outputs.predicted == table.predicted_label[outputs.index]).all()
    assert (outputs.labels == table.given_label[outputs.index]).all()
    np.testing.assert_allclose(np.linalg.norm(outputs.features, axis=1), 1, rtol=1e-5)


def test_test_set_of_several_parts(trained):
    cfg, model = open_run(trained)
    part = cfg.test_dataloader.dataset
    cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[part, dict(part, indices=10)])
    outputs = saved_run.test_outputs(cfg, model)
    assert outputs.labels.shape == (60,) and (outputs.predicted[50:] == outputs.predicted[:10]).all()


def test_without_truth_the_runs_own_verdict_is_drawn(trained):
    index = np.array([3, 5, 60])
    outputs = Outputs(index, np.eye(3), np.array([1, 0, 2]), np.zeros(3, dtype=int))
    points = training_points(OpenRun(trained, ''), outputs, None)
    called = read_label_table(trained / 'label_quality.csv').is_label_issue
    assert points.is_wrong.tolist() == called[index].tolist() and points.classes.tolist() == [1, 0, 2]
    assert (
        points.wrong_caption == 'given label called wrong'
        and points.caption == '3 training images, by predicted class'
    )


def test_names_of_runs(plot_tool, workplace):
    """A folder may have the sign between name and folder in its path."""
    (workplace / 'lr=0.1').mkdir()
    runs = plot_tool.parse_args(['lr=0.1', 'mine=lr=0.1', 'w/seed0', 'other=w/seed1', '--out', 'x.png']).runs
    assert runs == {'lr=0.1': 'lr=0.1', 'mine': 'lr=0.1', 'seed0': 'w/seed0', 'other': 'w/seed1'}


def test_curves_of_two_runs(plot_tool, trained, workplace):
    argv = [f'a={trained}', f'b={trained}', '--out', 'c.svg']
    assert plot_tool.main(argv) == 0
    written = texts(workplace / 'c.svg')
    assert {'a', 'b', 'labels not trusted (%)'} <= set(written) and 'contrast' not in written


def test_overview_is_of_all_runs_and_of_what_the_first_doubts(plot_tool, trained, workplace):
    (workplace / 'plain').mkdir()  # of the second run its record is enough
    (record,) = trained.glob('*/vis_data')
    shutil.copytree(record, workplace / 'plain' / '1' / 'vis_data')
    assert plot_tool.main([f'a={trained}', 'b=plain', '--kind', 'overview', '--out', 'o.svg']) == 0
    written = texts(workplace / 'o.svg')
    called = int(read_label_table(trained / 'label_quality.csv').is_label_issue.sum())
    assert {'a', 'b', 'a: score of the given label', 'wrong labels', 'fitted: right'} <= set(written)
    assert any(text.startswith(f'a: the {min(called, 20)} most doubtful of {called} labels') for text in written)


def test_a_run_without_table(plot_tool, trained, workplace, capsys):
    """Only what its files allow is drawn; a work directory may have been moved."""
    shutil.copytree(trained, workplace / 'run')
    (workplace / 'run' / 'label_quality.csv').unlink()
    (workplace / 'run' / 'last_checkpoint').write_text('/gone/epoch_2.pth')
    assert plot_tool.main(['run', '--kind', 'confusion', '--out', 'c.png']) == 0
    assert plot_tool.main(['run', '--kind', 'histogram', '--out', 'h.png']) == 2
    assert 'run/label_quality.csv: No such file' in capsys.readouterr().err
    (workplace / 'run' / 'last_checkpoint').unlink()
    assert plot_tool.main(['run', '--kind', 'all', '--out', 'p']) == 2
    error = capsys.readouterr().err
    assert all(f'left out: {kind}: run has no label_quality.csv' in error for kind in ('histogram', 'gallery'))
    assert 'error: run has no checkpoint' in error


def test_a_run_that_has_never_been_evaluated(plot_tool, trained, workplace, monkeypatch, capsys):
    """By a config without images to test."""
    nothing = Config(dict(val_dataloader=None, test_dataloader=None))
    with pytest.raises(ValueError, match='neither test_dataloader nor val_dataloader'):
        saved_run.test_outputs(nothing, None)
    monkeypatch.setattr(plot_tool, 'has_test_images', lambda cfg: False)
    assert plot_tool.main([str(trained), '--kind', 'all', '--out', 'p']) == 0
    error = capsys.readouterr().err
    assert all(f'left out: {kind}: {trained} has no images to test' in error for kind in ('tsne', 'confusion'))


def test_detector_is_that_of_the_scores(plot_tool, tmp_path):
    """The hook that relabels before the second stage of TCL+ has another, and comes first."""
    cfg = Config.fromfile(ROOT / 'configs' / 'variants' / 'tclplus_digits_sym80.py')
    assert [hook.detector.type for hook in cfg.custom_hooks] == ['OODDetector', 'SmallLossDetector']
    cfg.dump(tmp_path / 'tclplus_digits_sym80.py')
    assert isinstance(plot_tool.detector_of(tmp_path), SmallLossDetector)
    cfg.custom_hooks.pop()
    cfg.dump(tmp_path / 'tclplus_digits_sym80.py')
    assert plot_tool.detector_of(tmp_path) is None


@pytest.mark.parametrize(
    ('argv', 'message'),
    [
        (['a=1', 'b=2', '--kind', 'tsne', '--out', 'c.png'], '--kind tsne draws one run, got a, b'),
        (['a', '--out', 'c.jpg'], '--out c.jpg: must be a .png, .svg, .pdf file'),
        (
            ['a', '--kind', 'all', '--out', 'c.png'],
            '--out c.png: --kind all writes several pictures and needs a folder',
        ),
    ],
)
def test_refusals(argv, message, plot_tool, workplace, capsys):
    assert plot_tool.main(argv) == 2
    assert message in capsys.readouterr().err
