# SPDX-License-Identifier: Apache-2.0
"""The audit of labels, from a training to labels for the next one."""

import csv
import json
import shutil

import numpy as np
import pytest
from data_builders import build_image_folder
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS
from toolbox import ROOT, load_file

from tcl_plugin.evaluation import LabelTable, read_label_table, write_label_table
from tcl_plugin.reports.audit import read_audit, summarise


@pytest.fixture(scope='module')
def audit_tool():
    return load_file(ROOT / 'tools' / 'audit_labels.py')


@pytest.fixture(scope='module')
def audited(audit_tool, trained, tmp_path_factory):
    """What the tool makes of the tiny training on the digits."""
    out = tmp_path_factory.mktemp('audit')
    assert audit_tool.main([str(trained), '--out', str(out), '--top', '7']) == 0
    return out


def training_set(work_dir, **changes):
    """The training set of a work directory's config, with other labels."""
    (path,) = work_dir.glob('*.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return DATASETS.build({**Config.fromfile(path).train_dataloader.dataset, **changes})


def given_by(work_dir, label_file):
    return training_set(work_dir, noise=None, label_file=str(label_file)).given_labels


def page_data(path):
    """The data in a page."""
    text = path.read_text(encoding='utf-8')
    return json.loads(text.split('id="data">')[1].split('</script>')[0])


def test_ranked_list(audited, trained):
    table, issues = read_label_table(trained / 'label_quality.csv'), read_label_table(audited / 'label_issues.csv')
    assert sorted(issues.sample_idx) == np.flatnonzero(table.is_label_issue).tolist() and len(issues) > 0
    order = list(zip(issues.label_quality, issues.score, -issues.suggested_prob, issues.sample_idx, strict=True))
    assert order == sorted(order)
    assert issues.given_label.tolist() == table.given_label[issues.sample_idx].tolist()


def test_corrected_labels_train_the_next_run(audited, trained):
    table = read_label_table(trained / 'label_quality.csv')
    corrected = given_by(trained, audited / 'corrected_labels.csv')
    expected = np.where(table.is_label_issue, table.suggested_label, table.given_label)
    assert corrected.tolist() == expected.tolist() != table.given_label.tolist()
    assert not (audited / 'corrected_annotations.csv').exists()


def test_summary(audited, trained):
    summary = json.loads((audited / 'summary.json').read_text())
    table, dataset = read_label_table(trained / 'label_quality.csv'), training_set(trained)
    issue = table.is_label_issue
    assert (summary['num_samples'], summary['num_issues']) == (64, issue.sum())
    assert summary['estimated_noise_rate'] == issue.mean()
    assert summary['measured']['noise_rate'] == dataset.noise_rate
    assert summary['measured']['recall'] == issue[table.given_label != table.true_label].mean()
    assert summary['measured']['suggestions_right'] == (table.suggested_label == table.true_label)[issue].mean()
    assert summary['classes'] == [str(label) for label in range(10)]
    for row in summary['by_given_class']:
        mine = table.given_label == row['label']
        assert (row['samples'], row['issues']) == (mine.sum(), issue[mine].sum())
        assert row['measured_noise_rate'] == (table.true_label != table.given_label)[mine].mean()
    corrected = np.where(issue, table.suggested_label, table.given_label)
    assert summary['measured']['noise_rate_after_correction'] == (corrected != table.true_label).mean()
    assert summary['unsure'] == (table.suggested_prob < 0.5).mean()
    for name, rows, found in [
        ('estimated', corrected, summary['estimated_transition_matrix']),
        ('measured', table.true_label, summary['measured_transition_matrix']),
    ]:
        for label in range(10):
            mine = table.given_label[rows == label]
            # A class without samples keeps its label.
            share = np.bincount(mine, minlength=10) / len(mine) if len(mine) else np.eye(10)[label]
            np.testing.assert_allclose(found[label], share, atol=1e-6, err_msg=name)


def test_page_has_the_most_doubtful_images(audited):
    issues, data = read_label_table(audited / 'label_issues.csv'), page_data(audited / 'index.html')
    assert [card['index'] for card in data['cards']] == issues.sample_idx[:7].tolist()
    assert all(card['src'].startswith('data:image/png;base64,') for card in data['cards'])
    assert sum(count for _, _, count in data['pairs']) == len(issues) == data['issues']


def test_quiet_where_there_is_no_terminal(audit_tool, trained, tmp_path, capsys):
    assert audit_tool.main([str(trained), '--out', str(tmp_path), '--top', '2']) == 0
    assert capsys.readouterr().err == ''


def test_a_terminal_shows_progress(audit_tool, trained, tmp_path, terminal):
    with terminal:
        assert audit_tool.main([str(trained), '--out', str(tmp_path), '--top', '2']) == 0
    assert 'thumbnails' in terminal.seen and '1/2' in terminal.seen and terminal.screen == []


def test_a_run_that_is_not_finished_says_so(audit_tool, trained, tmp_path, capsys):
    run = tmp_path / 'run'
    shutil.copytree(trained, run)
    (config,) = run.glob('*/vis_data/config.py')
    config.write_text(config.read_text().replace('max_epochs=2', 'max_epochs=5'))
    assert audit_tool.main([str(run)]) == 0
    assert 'the training is not finished: this is what it knew after 2 of 5 epochs' in capsys.readouterr().out
    summary = json.loads((run / 'audit/summary.json').read_text())
    assert (summary['epochs'], summary['max_epochs']) == (2, 5)
    assert page_data(run / 'audit/index.html')['run'].endswith('/run, after 2 of 5 epochs')
    # One that EarlyStoppingHook has ended is finished, as is one that nothing is known of.
    (info,) = run.glob('*/run.json')
    info.write_text(json.dumps(json.loads(info.read_text()) | dict(stopped_early=True)))
    assert 'epochs' not in summarise(read_audit(run))
    shutil.rmtree(info.parent)
    assert 'epochs' not in summarise(read_audit(run))


def test_the_table_of_another_training_is_not_audited(audit_tool, train_tool, trained, toy, capsys):
    """It is kept beside the log of that training, and once more what is trained there next."""
    run = toy.parent / 'run'
    shutil.copytree(trained, run)
    (piece,) = run.glob('*/run.json')
    table = (run / 'label_quality.csv').read_bytes()
    argv = [str(toy), '--work-dir', str(run), '--cfg-options', 'experiment_name=no_table']
    assert train_tool.main(argv) == 0
    kept = piece.with_name('label_quality.csv')
    assert kept.read_bytes() == table
    assert f'of a training before this one is kept as {kept}' in max(run.glob('*/*.log')).read_text()
    assert audit_tool.main([str(run)]) == 2
    assert 'run/label_quality.csv does not exist' in capsys.readouterr().err


def write_decisions(path, table, *decisions):
    rows = [[i, table.given_label[i], table.suggested_label[i], decision] for i, decision in decisions]
    with path.open('w', newline='') as file:
        csv.writer(file).writerows([['sample_idx', 'given_label', 'suggested_label', 'decision'], *rows])


@pytest.mark.parametrize('undecided', ['keep', 'suggest'])
def test_decisions_of_a_person(audit_tool, trained, tmp_path, capsys, undecided):
    table = read_label_table(trained / 'label_quality.csv')
    first, second, *others = np.flatnonzero(table.is_label_issue & (table.suggested_label != table.given_label))
    write_decisions(tmp_path / 'decisions.csv', table, (first, 'accept'), (second, 'reject'))
    argv = [str(trained), '--out', str(tmp_path), '--apply', str(tmp_path / 'decisions.csv')]
    assert audit_tool.main([*argv, '--undecided', undecided]) == 0
    expected = table.given_label.copy()
    expected[first] = table.suggested_label[first]
    if undecided == 'suggest':
        expected[others] = table.suggested_label[others]
    assert given_by(trained, tmp_path / 'cleaned_labels.csv').tolist() == expected.tolist()
    assert f'1 suggestions accepted, 1 rejected; {table.is_label_issue.sum() - 2} doubtful' in capsys.readouterr().out


def test_images_in_files_and_a_table_of_an_earlier_release(audit_tool, workplace, capsys):
    """The suggestion is then the prediction; an image that has gone is told, and the others are shown."""
    images = build_image_folder(workplace / 'images', num_classes=3, images_per_class=2)
    inner = dict(type='CustomDataset', data_prefix='images', pipeline=[])
    loader = dict(dataset=dict(type='NoisyLabelDataset', dataset=inner))
    cfg = Config(dict(train_dataloader=loader, train_cfg=dict(by_epoch=True)))
    run = workplace / 'run'
    run.mkdir()
    cfg.dump(run / 'own.py')
    (images / 'class_2' / '005.png').unlink()
    (images / 'class_2' / '006.png').write_bytes((images / 'class_1' / '003.png').read_bytes()[:60])
    wrong = np.array([False, True, False, False, True, True])
    table = LabelTable(
        sample_idx=np.arange(6),
        given_label=np.array([0, 0, 1, 1, 2, 2]),
        predicted_label=np.array([0, 1, 1, 1, 0, 1]),
        is_label_issue=wrong,
        clean_prob=np.where(wrong, 0.25, 1.0),
        label_quality=np.where(wrong, [0, 0.1, 0, 0, 0.2, 0.3], 1.0),
        predicted_prob=np.full(6, 0.5),
    )
    write_label_table(run / 'label_quality.csv', table)
    assert audit_tool.main(['run']) == 0
    assert '1 images cannot be shown, the first of sample 5' in capsys.readouterr().out
    data = page_data(run / 'audit' / 'index.html')
    assert [(card['index'], card['suggested'], bool(card['src'])) for card in data['cards']] == [
        (1, 1, True),
        (4, 0, True),
        (5, 1, False),
    ]
    summary = json.loads((run / 'audit' / 'summary.json').read_text())
    assert summary['data_root'] == str(images) and 'measured' not in summary
    rows = list(csv.DictReader((run / 'audit' / 'corrected_annotations.csv').open()))
    assert [row['gt_class'] for row in rows] == [f'class_{label}' for label in (0, 1, 1, 1, 0, 1)]
    assert all(row['img_path'].startswith('class_') for row in rows)  # as in a person's own table


@pytest.fixture
def complain(audit_tool, capsys):
    """Run the tool where something is wrong; return the one line about it."""

    def call(*argv):
        assert audit_tool.main([str(arg) for arg in argv]) == 2
        printed = capsys.readouterr().err
        assert printed.startswith('error: ') and printed.count('\n') == 1, printed
        return printed

    return call


HEADER = 'sample_idx,given_label,suggested_label,decision\n'


@pytest.mark.parametrize(
    ('content', 'words'),
    [
        (None, ['decisions.csv does not exist', "usually in the browser's download folder"]),
        ('a,b\n', ['must name the columns', 'sample_idx', "['a', 'b']"]),
        (HEADER + '64,0,1,accept\n', ['line 2', 'no sample 64', '0..63']),
        (HEADER + '0,{given},{suggested},maybe\n', ['line 2', "'maybe'"]),
        (HEADER + '0,{given},{suggested},accept\n' * 2, ['line 3', 'sample 0 a second time']),
        (HEADER + '0,x,1,accept\n', ['line 2', 'whole numbers']),
        (HEADER + '0,{given},10,accept\n', ['line 2', 'another run or epoch']),
    ],
    ids=['missing', 'columns', 'range', 'decision', 'twice', 'number', 'other labels'],
)
def test_decisions_that_do_not_fit(complain, trained, tmp_path, content, words):
    path = tmp_path / 'decisions.csv'
    if content is not None:
        table = read_label_table(trained / 'label_quality.csv')
        path.write_text(content.format(given=table.given_label[0], suggested=table.suggested_label[0]))
    line = complain(trained, '--out', tmp_path, '--apply', path)
    assert all(word in line for word in words), line
    assert not (tmp_path / 'cleaned_labels.csv').exists()


def test_decisions_that_are_missing_are_told_before_anything_is_read(complain, tmp_path):
    assert 'none.csv does not exist or is not a file' in complain(tmp_path, '--apply', tmp_path / 'none.csv')


def test_undecided_without_decisions(complain, trained):
    assert '--undecided goes with --apply' in complain(trained, '--undecided', 'suggest')


def test_folders_that_do_not_fit(complain, trained, tmp_path):
    assert 'label_quality.csv does not exist: a LabelNoiseHook' in complain(tmp_path)
    table = read_label_table(trained / 'label_quality.csv')
    write_label_table(tmp_path / 'label_quality.csv', table)
    assert 'has no config' in complain(tmp_path)
    (config,) = trained.glob('*.py')
    shutil.copy(config, tmp_path)
    table.given_label[3] = (table.given_label[3] + 1) % 10
    write_label_table(tmp_path / 'label_quality.csv', table)
    assert 'label of sample 3' in complain(tmp_path)
    write_label_table(tmp_path / 'label_quality.csv', table.take(np.arange(60)))
    assert 'has 60 rows' in complain(tmp_path)
    assert 'argument --top: invalid whole number' in complain(tmp_path, '--top', '-1')
