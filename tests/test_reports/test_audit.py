# SPDX-License-Identifier: Apache-2.0
"""What an audit writes: labels that data sets read, pictures, and a page that no name can break out of."""

import base64
import csv
import io
import json
import os
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from audit_builders import audit_of, folder_dataset, page_of
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS
from PIL import Image

from tcl_plugin.evaluation import write_columns
from tcl_plugin.reports import doubtful_images
from tcl_plugin.reports.audit import make_thumbnails, summarise, write_label_lists
from tcl_plugin.reports.audit.label_lists import images_root, label_numbers, list_path, list_root
from tcl_plugin.reports.audit.page import embed, page_data
from tcl_plugin.reports.audit.source import _check_same
from tcl_plugin.reports.audit.summary import _agreement, unjudged_of, warning_of
from tcl_plugin.reports.audit.thumbnails import LARGE, encode


@pytest.fixture(autouse=True)
def mmpretrain_scope():
    """Names in configs are those of mmpretrain's registries, as in every config of this package."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


# Each image belongs to the class before its own, but for the first.
SUGGESTED = np.array([0, *np.repeat([0, 1, 2], 4)[:-1]])
HOSTILE = ['</script><script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "=1+1 & '{{data}}' \u2028"]


def test_annotations_are_read_by_csv_dataset(tmp_path):
    """The same images in the same order, with the new labels."""
    dataset = folder_dataset(tmp_path / 'images', HOSTILE)
    audit = audit_of(dataset, SUGGESTED)
    labels, annotations = write_label_lists(dataset, audit.corrected, tmp_path, 'corrected')
    root = images_root(dataset.img_paths)
    assert root == str(tmp_path / 'images')
    found = DATASETS.build(
        dict(type='CSVDataset', ann_file=str(annotations), data_root=root, classes=HOSTILE, check_files=None)
    )
    assert [info['img_path'] for info in map(found.get_data_info, range(12))] == dataset.img_paths
    assert found.get_gt_labels().tolist() == SUGGESTED.tolist()
    with annotations.open(newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert not [cell for row in rows for cell in row.values() if cell[0] in '=+-@']
    read = DATASETS.build(
        dict(type='NoisyLabelDataset', dataset=folder_dataset(tmp_path / 'images').dataset, label_file=str(labels))
    )
    assert read.given_labels.tolist() == SUGGESTED.tolist()


@pytest.mark.parametrize(
    ('path', 'written'),
    [
        ('Kätzchen & Hunde/2024/März/img 0, nr 11.jpg', 'Kätzchen & Hunde/2024/März/img 0, nr 11.jpg'),
        ('.cats/1.jpg', '.cats/1.jpg'),
        ('=1+1/1.jpg', './=1+1/1.jpg'),
        ("'@cats/1.jpg", "./'@cats/1.jpg"),
        (' cats/1.jpg', './ cats/1.jpg'),
    ],
)
def test_paths_are_as_in_tables_of_ones_own(tmp_path, path, written):
    """But for those that a spreadsheet or a reader of the table would take for something else."""
    write_columns(tmp_path / 'a.csv', dict(img_path=[list_path(path)], gt_label=[0]))
    with (tmp_path / 'a.csv').open(newline='', encoding='utf-8') as file:
        assert [row['img_path'] for row in csv.DictReader(file)] == [written]
    table = dict(type='CSVDataset', ann_file='a.csv', data_root=str(tmp_path), check_files=0)
    assert DATASETS.build(table).get_data_info(0)['img_path'] == str(tmp_path / path)


def test_a_table_takes_the_place_of_the_one_that_was_trained_on(tmp_path):
    """Its paths start from the same folder, unless images lie outside."""
    folder_dataset(tmp_path / 'own' / 'images')
    (tmp_path / 'own' / 'other').mkdir()
    images = sorted((tmp_path / 'own').glob('*/*/*'))
    for folder, expected in [('own', 'own'), ('', ''), ('own/other', 'own/images')]:
        rows = [f'{os.path.relpath(path, tmp_path / folder)},{i % 2}' for i, path in enumerate(images)]
        (tmp_path / 'a.csv').write_text('\n'.join(['img_path,gt_label', *rows]))
        table = dict(type='CSVDataset', ann_file=str(tmp_path / 'a.csv'), data_root=str(tmp_path / folder))
        dataset = DATASETS.build(dict(type='NoisyLabelDataset', dataset=dict(table, allow_outside=True)))
        assert list_root(dataset) == str(tmp_path / expected)


def test_images_held_out_keep_their_labels(tmp_path):
    """They were not judged; and yet the next training has all images."""
    dataset = folder_dataset(tmp_path / 'images', held_out=0.25)
    kept = dataset.image_index
    audit = audit_of(dataset, SUGGESTED[kept])
    assert len(kept) == 9 and summarise(audit)['num_held_out'] == 3
    told = ['3 images were held out of the training: their labels are not judged']
    assert page_data(audit, summarise(audit), [])['unjudged'] == told
    expected = np.repeat([0, 1, 2], 4)
    expected[kept] = SUGGESTED[kept]
    files = write_label_lists(dataset, audit.corrected, tmp_path, 'corrected')
    for path, column in zip(files, ('given_label', 'gt_label'), strict=True):
        with path.open(newline='') as file:
            assert [int(row[column]) for row in csv.DictReader(file)] == expected.tolist()
    summary = summarise(audit_of(folder_dataset(tmp_path / 'images'), SUGGESTED))
    assert (summary['num_held_out'], summary['num_kept_back'], unjudged_of(summary)) == (0, 0, [])


def test_repeated_images_get_one_label(tmp_path):
    """A label file is about distinct images; where copies differ, the first has its way."""
    inner = dict(
        type='RepeatDataset',
        times=2,
        dataset=dict(type='CustomDataset', data_prefix=str(tmp_path / 'images'), pipeline=[]),
    )
    folder_dataset(tmp_path / 'images')
    dataset = DATASETS.build(dict(type='NoisyLabelDataset', dataset=inner))
    suggested = np.concatenate([SUGGESTED, np.zeros(12, int)])
    labels, annotations = write_label_lists(dataset, suggested, tmp_path, 'corrected')
    for path, column in [(labels, 'given_label'), (annotations, 'gt_label')]:
        with path.open(newline='') as file:
            assert [int(row[column]) for row in csv.DictReader(file)] == SUGGESTED.tolist()


@pytest.mark.parametrize(
    ('classes', 'expected'),
    [
        (['cat', 'dog'], ['0', '1']),
        (['0', '1'], ['0', '1']),
        (['3', '0'], ['#0', '#1']),
        (['1', '#0', '2'], ['##0', '##1', '##2']),
    ],
)
def test_numbers_are_never_names_of_other_classes(tmp_path, classes, expected):
    assert label_numbers(classes) == expected
    (tmp_path / 'a.csv').write_text('img_path,gt_label\n' + ''.join(f'{i}.png,{n}\n' for i, n in enumerate(expected)))
    dataset = DATASETS.build(
        dict(
            type='CSVDataset',
            ann_file=str(tmp_path / 'a.csv'),
            data_root=str(tmp_path),
            classes=classes,
            check_files=0,
        )
    )
    assert dataset.get_gt_labels().tolist() == list(range(len(classes)))


def test_ranking_and_numbers(tmp_path):
    dataset = folder_dataset(tmp_path / 'images')
    issue = np.arange(12) % 2 == 0
    clean_prob = np.where(issue, 0.0, 1.0)
    clean_prob[8] = 0.25
    audit = audit_of(dataset, np.zeros(12, int), issue, clean_prob)
    assert audit.ranking.tolist() == [0, 2, 4, 6, 10, 8]
    summary = summarise(audit)
    assert (summary['num_issues'], summary['num_issues_without_other_class']) == (6, 2)
    assert [row['issues'] for row in summary['by_given_class']] == [2, 2, 2]
    assert summary['estimated_transition_matrix'] == [[0.5, 0.25, 0.25], [0, 1, 0], [0, 0, 1]]
    assert 'measured' not in summary and 'measured_noise_rate' not in summary['by_given_class'][0]
    json.dumps(summary, allow_nan=False)


@pytest.mark.parametrize(
    ('predicted', 'agreement', 'by_chance', 'warned'),
    [
        ([0] * 12, 4 / 12, 4 / 12, True),  # one class for all
        ([0, 1, 2] * 4, 6 / 12, 4 / 12, True),  # chance would make as much of twelve labels
        (np.repeat([0, 1, 2], 4), 1.0, 4 / 12, False),
    ],
)
def test_a_training_that_has_learned_nothing_is_doubted(tmp_path, predicted, agreement, by_chance, warned):
    audit = audit_of(folder_dataset(tmp_path / 'images'), predicted)
    summary = summarise(audit)
    assert (summary['agreement'], summary['agreement_by_chance']) == pytest.approx((agreement, by_chance))
    assert summary['agreement_deviation'] == pytest.approx(0 if len(set(predicted)) == 1 else 0.142, abs=0.001)
    warning = warning_of(summary)
    assert page_data(audit, summary, [])['warning'] == warning and (warning is not None) == warned
    if warned:
        assert f'agree with {agreement:.0%} of the labels, where chance alone makes 33%' in warning


def test_a_rare_class_is_no_reason_for_doubt():
    """Where nearly all images are of one class, chance agrees with most labels, too."""
    given = np.repeat([0, 1], [97, 3])
    rest = dict(num_samples=100, unsure=0.0, classes_given_up=[])
    summary = _agreement(given, given, 2) | rest
    assert summary['agreement_by_chance'] == pytest.approx(0.9418) and warning_of(summary) is None
    predicted = np.where(np.arange(100) < 99, given, 0)
    assert warning_of(_agreement(predicted, given, 2) | rest) is None


def test_few_labels_that_are_right_are_no_chance():
    """Of 6,000 labels under sym90, 19 % are right: that is far from what chance makes of ten classes."""
    summary = dict(agreement=0.19, agreement_by_chance=0.1, agreement_deviation=0.004, num_samples=6000, unsure=0.3)
    summary['classes_given_up'] = []
    assert warning_of(summary) is None and warning_of(summary | dict(agreement=0.11)) is not None
    assert 'for 60% of the images no class is likelier than not' in warning_of(summary | dict(unsure=0.6))


def test_classes_that_are_hardly_predicted_are_told(tmp_path):
    dataset = folder_dataset(tmp_path / 'images', per_class=20)
    predicted = np.repeat([0, 1, 0], 20)
    summary = summarise(audit_of(dataset, predicted))
    (lost,) = summary['classes_given_up']
    assert lost == summary['classes'][2]
    assert warning_of(summary).startswith(f'the network predicts hardly any image as {lost}: ')
    predicted[-2:] = 2  # a tenth
    summary = summarise(audit_of(dataset, predicted))
    assert summary['classes_given_up'] == [] and warning_of(summary) is None


def decoded(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(',')[2]))))


def test_thumbnails(tmp_path):
    """Small images pixel by pixel, large ones smaller, and files that are not there told in their place."""
    dataset = folder_dataset(tmp_path / 'images')
    paths = dataset.img_paths
    original = np.asarray(Image.open(paths[0]))
    Image.new('RGB', (600, 300), 'red').save(paths[1])
    with open(paths[2], 'wb') as file:
        file.write(b'no image')
    (tmp_path / 'images' / 'class_0' / '003.png').unlink()
    whole, large, damaged, gone = make_thumbnails(dataset, range(4))
    assert (decoded(whole.uri) == original).all()
    assert large.uri.startswith('data:image/jpeg') and decoded(large.uri).shape == (LARGE // 2, LARGE, 3)
    assert damaged.uri is None and 'cannot identify' in damaged.error
    assert gone.uri is None and 'No such file' in gone.error
    assert decoded(encode(Image.new('L', (8, 8), 200))).tolist() == np.full((8, 8, 3), 200).tolist()


def test_doubtful_images(tmp_path):
    """The top of the ranking, with its own pixels and names; a damaged file costs no other image."""
    dataset = folder_dataset(tmp_path / 'images', ['ant', 'bee', 'cat'])
    audit = audit_of(dataset, SUGGESTED, clean_prob=np.linspace(1, 0, 12))
    first, second = audit.ranking[:2]
    with open(dataset.img_paths[second], 'wb') as file:
        file.write(b'no image')
    cells = doubtful_images(audit, 2)
    assert (first, len(cells)) == (8, 2)
    assert [(cell.given, cell.suggested) for cell in cells] == [('cat', 'bee'), ('bee', 'ant')]
    assert (cells[0].image == np.asarray(Image.open(dataset.img_paths[first]))).all() and cells[1].image is None
    assert len(doubtful_images(audit, 20)) == len(audit.ranking)


class Scripts(HTMLParser):
    """Collects the elements of a page, and the content of its scripts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.scripts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == 'script':
            self.scripts.append('')

    def handle_data(self, data):
        if self.tags and self.tags[-1][0] == 'script':
            self.scripts[-1] += data


def test_no_name_breaks_out_of_the_page(tmp_path):
    """A parser finds the elements of the template and no others, and the names as they are."""
    dataset = folder_dataset(tmp_path / 'images', HOSTILE)
    plain = Scripts(page_of(audit_of(dataset, SUGGESTED), tmp_path / 'plain.html').read_text(encoding='utf-8'))
    text = page_of(audit_of(dataset, SUGGESTED, name=HOSTILE[0]), tmp_path / 'page.html').read_text(encoding='utf-8')
    page = Scripts(text)
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    data = json.loads(page.scripts[0])
    assert data['classes'] == HOSTILE and data['run'] == HOSTILE[0] and len(page.scripts) == 2
    assert not [attrs for _, attrs in page.tags for name in attrs if name in ('src', 'href') or name.startswith('on')]


def test_embedded_json():
    nasty = {'a': '</SCRIPT><!--', 'b': '\u2028\u2029&', 'c': 'é'}
    text = embed(nasty)
    assert json.loads(text) == nasty and not set('<>&\u2028\u2029') & set(text)


def test_data_of_the_page_is_bounded_by_top(tmp_path):
    dataset = folder_dataset(tmp_path / 'images')
    audit = audit_of(dataset, SUGGESTED)
    data = page_data(audit, summarise(audit), make_thumbnails(dataset, audit.ranking[:1]))
    assert data['pairs'] == [[1, 0, 1], [2, 1, 1]] and len(data['cards']) == 1
    assert audit_of(dataset, np.zeros(12, int)).ranking.tolist() == list(range(4, 12))


@pytest.mark.parametrize(
    ('given', 'message'),
    [([0, 1], 'has 3 rows, but .* has 2 samples'), ([0, 2, 2], r'label of sample 1 is 1, .* it is 2 \(1 such')],
)
def test_table_of_other_images_or_labels(given, message):
    columns = dict(sample_idx=np.arange(3), given_label=np.array([0, 1, 2]))
    table = type('Table', (), dict(columns, __len__=lambda self: 3))()
    dataset = type('Data', (), dict(given_labels=np.array(given), __len__=lambda self: len(given)))()
    with pytest.raises(ValueError, match=message):
        _check_same(table, dataset, Path('label_quality.csv'))
