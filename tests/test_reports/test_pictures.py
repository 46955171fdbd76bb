# SPDX-License-Identifier: Apache-2.0
"""Pictures show the numbers that they are given."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from tcl_plugin.detection import OODDetector, SmallLossDetector, fit_score_mixture
from tcl_plugin.reports import (
    Doubtful,
    Points,
    RunRecord,
    curves,
    draw_confusion,
    draw_embeddings,
    draw_gallery,
    draw_histogram,
    draw_overview,
    embed,
    mixture_of,
    plot_curves,
    save,
    style,
)
from tcl_plugin.reports import embedding as embedding_module
from tcl_plugin.reports.curves import draw_panel, panels_of
from tcl_plugin.reports.style import class_colors, plain, series_style
from tcl_plugin.reports.views import Row, draw_views


@pytest.fixture
def scores():
    rng = np.random.RandomState(0)
    is_wrong = np.arange(300) < 200
    return np.where(is_wrong, rng.normal(0.2, 0.05, 300), rng.normal(0.8, 0.05, 300)), is_wrong


def bars(axis, label):
    """Heights of the bars of one histogram."""
    (container,) = [c for c in axis.containers if c[0].get_label() == label]
    return np.array([bar.get_height() for bar in container])


def test_histogram_tells_right_from_wrong(scores):
    scores, is_wrong = scores
    mixture = fit_score_mixture(scores)
    (axis,) = draw_histogram(scores, is_wrong, mixture, 'name').axes
    assert bars(axis, 'wrong labels').sum() == 200 and bars(axis, 'right labels').sum() == 100
    assert axis.get_title() == 'name\n300 training samples, 66.7 % of the labels wrong'
    # Both curves and their bars have the same area: bars are 1/50 wide.
    for label, name in (('fitted: wrong', 'wrong labels'), ('fitted: right', 'right labels')):
        (line,) = [line for line in axis.lines if line.get_label() == label]
        area = np.trapezoid(line.get_ydata(), line.get_xdata())
        assert area == pytest.approx(bars(axis, name).sum() / 50, rel=0.02)


def test_curves_are_those_of_the_panel():
    """Shares in per cent; labels that are wrong are dashed beside those that are not trusted."""
    names = {
        'test accuracy (%)': ('accuracy/top1', None),
        'wrong labels fitted (%)': ('label_noise/wrong_labels_fitted', None),
        'labels not trusted (%)': ('label_noise/estimated_noise_rate', 'label_noise/noise_rate'),
        'AUC of noise detection (%)': ('label_noise/score_auc', None),
        'agreement with labels held out (%)': ('held_out/accuracy/top1', None),
        'accuracy by nearest neighbours (%)': ('knn/accuracy/top1', None),
    }
    shares = {name: 0.1 + 0.2 * i for i, (name, _) in enumerate(names.values())} | {'label_noise/noise_rate': 0.99}
    scalars = {name: {1: share / 2, 2: share} for name, share in shares.items()}
    scalars |= {name: {1: 30.0, 2: 50.0} for name in scalars if name.endswith('accuracy/top1')}
    figure = Figure()
    records = {'a': RunRecord(Path('a'), scalars)}
    assert [panel[0] for panel in panels_of(records)] == list(names)
    assert [panels_of(records, part)[0][0] for part in ('validation', '')] == [
        'validation accuracy (%)',
        'accuracy (%)',
    ]
    for panel in panels_of(records):
        axis = figure.add_subplot()
        draw_panel(axis, records, *panel)
        name, beside = names[panel[0]]
        expected = [30, 50] if name.endswith('accuracy/top1') else [50 * shares[name], 100 * shares[name]]
        solid, *dashed = axis.lines
        assert solid.get_ydata() == pytest.approx(expected) and axis.get_ylabel() == panel[0]
        assert solid.get_linestyle() == '-' and list(solid.get_xdata()) == [1, 2]
        assert [line.get_ydata()[-1] for line in dashed] == ([pytest.approx(99)] if beside else [])
        assert [line.get_linestyle() for line in dashed] == (['--'] if beside else [])
        texts = [text.get_text() for text in axis.get_legend().get_texts()] if beside else []
        assert texts == (['not trusted', 'wrong'] if beside else [])
    with pytest.raises(ValueError, match='none of a has recorded'):
        plot_curves({'a': RunRecord(Path('a'), {})}, 'c.png')


def test_a_rate_that_runs_have_in_common_is_dashed_once():
    rates = {'a': {1: 0.7, 2: 0.7}, 'b': {1: 0.7, 2: 0.7, 3: 0.7}, 'c': {1: 0.2}, 'd': {}}
    records = {run: RunRecord(Path(run), {'label_noise/noise_rate': values}) for run, values in rates.items()}
    axis = Figure().add_subplot()
    draw_panel(
        axis, records, 'labels not trusted (%)', 'label_noise/estimated_noise_rate', 'label_noise/noise_rate', 100
    )
    assert [list(line.get_xdata()) for line in axis.lines] == [[1], [1, 2, 3]]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ['wrong']


@pytest.mark.parametrize(
    ('names', 'texts'), [(['wrong', 'not trusted'], ['wrong']), (['a'], ['not trusted', 'wrong'])]
)
def test_the_rate_that_is_wrong_is_named_whatever_runs_are_called(names, texts):
    rates = {'label_noise/estimated_noise_rate': {1: 0.6, 2: 0.7}, 'label_noise/noise_rate': {1: 0.7, 2: 0.7}}
    records = {run: RunRecord(Path(run), rates) for run in names}
    axis = Figure().add_subplot()
    draw_panel(axis, records, 'labels not trusted (%)', *rates, 100)
    legend = axis.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == texts
    *_, rate = legend.legend_handles
    assert rate.get_linestyle() == '--' and rate.get_color() == 'black'


def test_letters_that_no_font_has_are_told_once(tmp_path, monkeypatch, capsys):
    """Not for each letter, nor each picture; names of other scripts are drawn in fonts that have them, as far as they
    are installed."""
    monkeypatch.setattr(style, '_TOLD', set())
    told = []
    for title in ('\U0001e900\U0001e901', '\U0001e901', 'plain', '\U0001e902\U0001e900'):  # Adlam
        figure = Figure()
        figure.suptitle(title)
        save(figure, tmp_path / 'a.png')
        told.append(capsys.readouterr().err)
    boxes = 'which show as boxes: install one, such as Noto Sans CJK\n'
    assert told[0] == f"warning: no font here has '\U0001e900\U0001e901', {boxes}" and told[1:3] == ['', '']
    assert told[3] == f"warning: no font here has '\U0001e902', {boxes}"


def test_other_scripts_are_drawn_in_their_fonts(tmp_path, monkeypatch):
    monkeypatch.setattr(style, 'FONTS', ('DejaVu Serif', 'no such font'))
    figure = Figure()
    text, plain_text = figure.text(0, 0, 'ä'), figure.text(0, 0, 'a')
    before = plain_text.get_fontfamily()
    save(figure, tmp_path / 'a.png')
    assert text.get_fontfamily() == [*before, 'DejaVu Serif'] and plain_text.get_fontfamily() == before


def test_overview_leaves_out_what_was_not_recorded():
    table = SimpleNamespace(true_label=None, scores=np.linspace(0, 1, 9), is_label_issue=np.zeros(9, dtype=bool))
    for scalars, labels in (({}, []), ({'accuracy/top1': {1: 50.0}}, ['validation accuracy (%)'])):
        figure = draw_overview({'a': RunRecord(Path('a'), scalars)}, table, None, [], part='validation')
        *curves, scores = figure.axes
        assert [axis.get_ylabel() for axis in curves] == labels and 'score' in scores.get_xlabel()


def test_histogram_without_truth(scores):
    (axis,) = draw_histogram(scores[0], None).axes
    assert bars(axis, 'all labels').sum() == 300 and not axis.lines


def test_mixtures_of_detectors(scores):
    scores, labels = scores[0], np.arange(300) % 2
    assert mixture_of(OODDetector(), scores, labels).means.shape == (2, 1)
    assert mixture_of(OODDetector(per_class=True), scores, labels).means.shape == (2, 2)
    assert mixture_of(SmallLossDetector(), scores, labels) is None
    assert mixture_of(None, scores, labels) is None


@pytest.mark.parametrize('library', ['openTSNE', 'sklearn'])
def test_tsne_keeps_clusters_apart(library, monkeypatch):
    pytest.importorskip(library)
    if library == 'sklearn':
        monkeypatch.setattr(embedding_module.importlib.util, 'find_spec', lambda name: None)
    rng = np.random.RandomState(0)
    classes = np.arange(60) % 3
    features = 5 * np.eye(8)[classes] + 0.1 * rng.randn(60, 8)
    where = embed(features)
    assert where.shape == (60, 2) and (embed(features) == where).all()
    distance = np.linalg.norm(where[:, None] - where, axis=2) + 1e9 * np.eye(60)
    assert (classes[distance.argmin(axis=1)] == classes).all()
    with pytest.raises(ValueError, match='five samples or more, got 4'):
        embed(features[:4])


@pytest.mark.parametrize(
    ('library', 'shown'), [('openTSNE', r'.* 740/750 \d:\d\d:\d\d left'), ('sklearn', r' 0:00:\d\d')]
)
def test_tsne_says_how_long_it_takes_and_comes_out_the_same(library, shown, terminal, monkeypatch):
    pytest.importorskip(library)
    if library == 'sklearn':
        monkeypatch.setattr(embedding_module.importlib.util, 'find_spec', lambda name: None)
    features = np.random.RandomState(0).randn(12, 4)
    with terminal:
        where = embed(features)
    assert re.search(f't-SNE of 12 samples{shown}', terminal.seen) and terminal.screen == []
    assert (embed(features) == where).all()


def test_embeddings_cross_out_wrong_labels(monkeypatch):
    monkeypatch.setattr(embedding_module, 'embed', lambda features: features[:, :2])
    rng = np.random.RandomState(0)
    classes = np.array([0, 1, 2, -1, 0, 1])
    points = Points(rng.rand(6, 4), classes, 'some', np.array([0, 1, 0, 1, 0, 0], dtype=bool), 'called wrong')
    figure = draw_embeddings([points], 3, ['_ant', 'bee', 'a very long name'])
    crosses, dots = figure.axes[0].collections
    assert len(crosses.get_offsets()) == 2 and len(dots.get_offsets()) == 4
    np.testing.assert_allclose(dots.get_facecolors()[:, :3], class_colors(3)[[0, 2, 0, 1], :3])
    names = [text.get_text() for text in figure.axes[0].texts]
    assert names == ['_ant', 'bee', 'a very long…']
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*names, 'called wrong']


def test_confusion_in_per_cent_of_each_class():
    labels, predicted = np.array([0, 0, 0, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 0])
    axis = draw_confusion(predicted, labels, 3, ['a', 'b', 'c']).axes[0]
    expected = [[75, 25, 0], [0, 100, 0], [100, 0, 0]]
    np.testing.assert_allclose(axis.images[0].get_array(), expected)
    assert [text.get_text() for text in axis.texts] == ['75', '25', '100', '100']
    assert not draw_confusion(labels, labels, 60).axes[0].texts


@pytest.mark.parametrize(
    'name',
    ['tcl_r50_folder', 'a title with so many words that it takes two lines itself, and with the count below it three'],
)
def test_title_of_a_small_confusion_matrix_is_whole(name):
    title = f'{name}\n12 validation images, 33.3 % predicted as they are labelled'
    figure = draw_confusion(np.arange(2), np.arange(2), 2, title=title)
    figure.draw_without_rendering()
    (text,) = figure.texts
    extent, axis = text.get_window_extent(), figure.axes[0]
    assert figure.bbox.x0 <= extent.x0 < extent.x1 <= figure.bbox.x1
    assert axis.get_tightbbox().y1 <= extent.y0 < extent.y1 <= figure.bbox.y1


def test_views_in_a_grid():
    cell = np.zeros((4, 4, 3), dtype=np.uint8)
    rows = [Row(f'given {i}, true 0', i > 0, ['weak', 'strong'], [cell, cell]) for i in range(7)]
    figure = draw_views(rows)
    assert len(figure.axes) == 14
    assert [axis.texts[0].get_text() for axis in figure.axes if axis.texts] == [row.label for row in rows]


def test_gallery_says_what_is_given_and_what_is_suggested():
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    cells = [Doubtful(image, 'cat', 'dog')] * 11 + [Doubtful(None, 'ant', 'bee')]
    figure = draw_gallery(cells, 'title')
    assert figure.get_suptitle() == 'title' and [len(axis.images) for axis in figure.axes] == [1] * 11 + [0]
    assert [text.get_text() for text in figure.axes[0].texts] == ['given cat', '→ dog']
    assert [text.get_text() for text in figure.axes[-1].texts] == ['cannot\nbe read', 'given ant', '→ bee']
    nothing = draw_gallery([], 'no label is called wrong')
    assert nothing.get_suptitle() == 'no label is called wrong' and not nothing.axes


def test_more_lines_than_colours_are_dashed():
    styles = [tuple(series_style(i).values()) for i in range(20)]
    assert len(set(styles)) == 20
    assert len(np.unique(class_colors(100), axis=0)) == 100


def test_suffix(tmp_path):
    figure = draw_confusion(np.zeros(2, dtype=int), np.zeros(2, dtype=int), 1)
    save(figure, tmp_path / 'new' / 'c.svg')
    assert (tmp_path / 'new' / 'c.svg').read_text().startswith('<?xml')
    with pytest.raises(ValueError, match=r'c.jpg: pictures are written to .png, .svg, .pdf files'):
        save(figure, tmp_path / 'c.jpg')


def test_names_and_titles_are_no_formulas(tmp_path):
    """matplotlib takes what stands between dollars for one, and fails at an unknown command."""
    bad, names = '$\\bad$', ['$\\bad$', 'a$b$']
    points = Points(np.eye(8), np.arange(8) % 2, 'points')
    records = {bad: RunRecord(Path('a'), {'accuracy/top1': {1: 50.0}})}
    table = SimpleNamespace(true_label=None, scores=np.linspace(0, 1, 9), is_label_issue=np.zeros(9, dtype=bool))
    plot_curves(records, tmp_path / 'picture.png', bad)
    for figure in (
        draw_confusion(np.array([0, 1]), np.array([1, 1]), 2, names, bad),
        draw_embeddings([points], 2, names, bad),
        draw_views([Row('1: given $\\bad$', False, [''], [np.zeros((2, 2, 3), np.uint8)])], bad),
        draw_gallery([], bad),
        draw_histogram(table.scores, None, title=bad),
        draw_overview(records, table, None, [], bad),
    ):
        save(figure, tmp_path / 'picture.png')
    assert [plain(name) for name in names] == ['\\$\\bad\\$', 'a\\$b\\$']


@pytest.mark.parametrize('number', [3, 20])
def test_every_run_is_in_the_legend_whatever_its_name(number, tmp_path, monkeypatch):
    """Of many runs it stands below the panels, where it hides no line."""
    figures = []
    monkeypatch.setattr(curves, 'save', lambda figure, path: figures.append(figure))
    names = ['_old', 'a$b$c', *(f'run {i}' for i in range(number - 2))]
    # The first has recorded nothing of the first panel.
    records = {name: RunRecord(Path(name), {'label_noise/score_auc': {1: 0.9, 2: 0.8}}) for name in names}
    records['a$b$c'].scalars['accuracy/top1'] = {1: 50.0, 2: 60.0}
    plot_curves(records, tmp_path / 'c.png')
    (figure,) = figures
    legend = figure.legends[0] if number > 6 else figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ['_old', 'a\\$b\\$c', *names[2:]]
    colors = [line.get_color() for line in figure.axes[1].lines]
    assert [handle.get_color() for handle in legend.legend_handles] == colors
