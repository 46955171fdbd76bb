# SPDX-License-Identifier: Apache-2.0
"""From tables of paths and labels to a complete config."""

import csv

import pytest
from folder_config import QUICK, completed_folder_config, read_folder_config
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, TASK_UTILS
from tree_builders import write_image

from tcl_plugin.auto_setup.placeholders import open_values

HEADER = 'img_path,gt_label'


def write_table(path, rows, header=HEADER):
    path.write_text(''.join(f'{row}\n' for row in (header, *rows)), encoding='utf-8')


@pytest.fixture
def folder(tmp_path):
    """Twelve images of two classes in one folder, and a table of them."""
    folder = tmp_path / 'pets'
    rows = []
    for i in range(12):
        write_image(folder / 'all' / f'{i}.png', i % 2, 2, i)
        rows.append(f'all/{i}.png,{("Hund", "Kätzchen")[i % 2]}')
    write_table(folder / 'train.csv', rows)
    return folder


def listed(path):
    with open(path, newline='', encoding='utf-8') as file:
        return [(row['img_path'], row['gt_label'], row['gt_class']) for row in csv.DictReader(file)]


def run_setup(cfg):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return TASK_UTILS.build(cfg.auto_setup)(cfg)


def test_completes_the_config(folder, tmp_path):
    cfg = completed_folder_config(folder, tmp_path, kind='csv', **QUICK)
    assert open_values(cfg) == {} and cfg.classes == ['Hund', 'Kätzchen'] and cfg.model.head.num_classes == 2
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        train, val = (DATASETS.build(part) for part in (cfg.train_dataloader.dataset, cfg.val_dataloader.dataset))
    assert (len(train), len(val)) == (10, 2) and sorted(val.get_gt_labels()) == [0, 1]
    assert train.given_labels.tolist() == [0] * 5 + [1] * 5
    seen = {*train.img_paths, *(val.get_data_info(i)['img_path'] for i in range(2))}
    assert seen == {str(folder / 'all' / f'{i}.png') for i in range(12)}


def test_other_tables_are_used_where_they_are_there(folder, tmp_path):
    write_table(folder / 'val.csv', ['all/1.png,Kätzchen', 'all/0.png,Hund'])
    write_table(folder / 'final.csv', ['all/3.png,1'])
    write_table(folder / 'mine.csv', [f'./all/{i}.png,{("Hund", "Kätzchen")[i % 2]}' for i in range(6)])
    tables = {'auto_setup.train': 'mine.csv', 'auto_setup.test': str(folder / 'final.csv')}
    values, notes = run_setup(read_folder_config(folder, tmp_path, kind='csv', **QUICK, **tables))
    assert [len(listed(values[f'{part}_list'])) for part in ('train', 'val', 'test')] == [6, 2, 1]
    # A number is a place among the classes of the first table.
    assert listed(values['test_list']) == [('./all/3.png', '1', 'Kätzchen')]
    assert notes[0] == (
        f'{folder}: 2 classes, train 6 images (Hund 3, Kätzchen 3); val 2 images (Hund 1, Kätzchen 1); '
        'test 1 images (Hund 0, Kätzchen 1)'
    )


def test_numbers_keep_their_places(folder, tmp_path):
    """Also where a class has no image: what is labelled 2 is not to become 1."""
    write_table(folder / 'train.csv', [f'all/{i}.png,{i % 2 * 2}' for i in range(10)])
    values, _ = run_setup(read_folder_config(folder, tmp_path, kind='csv', **QUICK))
    assert values['classes'] == ['0', '1', '2'] and {row[1:] for row in listed(values['train_list'])} == {
        ('0', '0'),
        ('2', '2'),
    }
    named = read_folder_config(folder, tmp_path, kind='csv', **QUICK, classes=['cat', 'cow', 'dog'])
    assert {row[2] for row in listed(run_setup(named)[0]['train_list'])} == {'cat', 'dog'}


def test_images_that_are_missing_or_broken_are_left_out(folder, tmp_path):
    (folder / 'all' / '0.png').unlink()
    (folder / 'all' / '3.png').write_text('no image')
    values, notes = run_setup(read_folder_config(folder, tmp_path, kind='csv', **QUICK))
    assert len(listed(values['train_list'])) + len(listed(values['val_list'])) == 10
    assert any('they cannot be read: all/0.png, all/3.png (' in note for note in notes)


def test_refusals(folder, tmp_path):
    def refused(words, **options):
        with pytest.raises((ValueError, FileNotFoundError, TypeError), match=words):
            run_setup(read_folder_config(folder, tmp_path, kind='csv', **QUICK, **options))

    refused(
        r'there is no table .*gone.csv: name it by --cfg-options auto_setup.train=FILE',
        **{'auto_setup.train': 'gone.csv'},
    )
    refused('table .*gone.csv does not exist', **{'auto_setup.val': 'gone.csv'})
    refused('auto_setup.layout says what folders are', **{'auto_setup.layout': 'parts'})
    write_table(folder / 'val.csv', ['all/1.png,Maus'])
    refused("val.csv: line 2: 'Maus' is neither one of the 2 classes")
    (folder / 'val.csv').unlink()
    write_table(folder / 'train.csv', ['all/1.png,Hund', 'all/2.png,Hund'])
    refused('train.csv: two or more classes are needed, found Hund alone')
    write_table(folder / 'train.csv', ['1.png,Hund', '2.png,Maus'])
    refused(f'none of the images can be read, the first is {folder}/1.png: .*No such file')
