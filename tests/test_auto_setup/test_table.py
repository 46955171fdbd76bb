# SPDX-License-Identifier: Apache-2.0
"""From tables of paths and labels to a complete config."""

import csv

import pytest
from folder_config import QUICK, completed_folder_config, read_folder_config, run_setup
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS
from tree_builders import write_image

from tcl_plugin.auto_setup.placeholders import open_values
from tcl_plugin.moved_lists import count_kept_back

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


def test_completes_the_config(folder, tmp_path):
    cfg = completed_folder_config(folder, tmp_path, kind='csv', **QUICK)
    assert open_values(cfg) == {} and cfg.classes == ['Hund', 'Kätzchen'] and cfg.model.head.num_classes == 2
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        train, val = (DATASETS.build(part) for part in (cfg.train_dataloader.dataset, cfg.val_dataloader.dataset))
    assert (len(train), len(val)) == (10, 2) and sorted(val.get_gt_labels()) == [0, 1]
    assert count_kept_back(val.ann_file) == 2
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
    assert listed(values['test_list']) == [('all/3.png', '1', 'Kätzchen')]
    assert count_kept_back(values['val_list']) == 0
    assert notes[0] == (
        f'{folder}: 2 classes, train 6 images (Hund 3, Kätzchen 3); val 2 images (Hund 1, Kätzchen 1); '
        'test 1 images (Hund 0, Kätzchen 1)'
    )


def test_a_list_of_ones_own_validates(folder, tmp_path):
    """Whether the folder has one or not."""
    write_table(folder / 'mine.csv', ['all/1.png,Kätzchen', 'all/0.png,Hund'])
    write_table(folder / 'val.csv', ['all/2.png,Hund'])
    own = {'val_dataloader.dataset.ann_file': 'mine.csv'}
    values, _ = run_setup(read_folder_config(folder, tmp_path, kind='csv', **QUICK, **own))
    assert [row[0] for row in listed(values['test_list'])] == ['all/0.png', 'all/1.png']
    trained = {row[0] for row in listed(values['train_list'])}
    assert len(trained) == 10 and not trained & {'all/0.png', 'all/1.png'}


def test_numbers_keep_their_places(folder, tmp_path):
    """Also where a class has no image: what is labelled 2 is not to become 1."""
    write_table(folder / 'train.csv', [f'all/{i}.png,{i % 2 * 2}' for i in range(10)])
    values, _ = run_setup(read_folder_config(folder, tmp_path, kind='csv', **QUICK))
    assert values['classes'] == ['0', '1', '2'] and {row[1:] for row in listed(values['train_list'])} == {
        ('0', '0'),
        ('2', '2'),
    }
    named = read_folder_config(folder, tmp_path, kind='csv', **QUICK, classes=['cat', 'cow', 'dog'])
    values, notes = run_setup(named)
    assert {row[2] for row in listed(values['train_list'])} == {'cat', 'dog'} and values['num_classes'] == 3
    assert 'no training images of cow' in notes


def test_images_that_are_missing_or_broken_are_left_out(folder, tmp_path):
    (folder / 'all' / '0.png').unlink()
    (folder / 'all' / '3.png').write_text('no image')
    values, notes = run_setup(read_folder_config(folder, tmp_path, kind='csv', **QUICK))
    assert len(listed(values['train_list'])) + len(listed(values['val_list'])) == 10
    assert any('they cannot be read: all/0.png, all/3.png (' in note for note in notes)


def test_an_image_in_many_rows_is_on_one_side(folder, tmp_path):
    """Oversampled, labelled twice, or given to both: the log tells, and none is trained on and kept back at once."""
    rows = [f'all/{i}.png,{("Hund", "Kätzchen")[i % 2]}' for i in range(12)]
    write_table(folder / 'train.csv', [*rows, *[rows[0]] * 20, *(f'all/{i}.png,Kätzchen' for i in range(0, 12, 2))])
    values, notes = run_setup(read_folder_config(folder, tmp_path, kind='csv', **QUICK))
    train, val = ({row[0] for row in listed(values[f'{part}_list'])} for part in ('train', 'val'))
    assert not train & val and len(train | val) == 12
    assert any(note.startswith('6 images stand in a table twice, or in two tables: all/0.png') for note in notes)
    # One image alone is never kept back.
    write_table(folder / 'train.csv', [*[rows[0]] * 20, *rows[1::2]])
    values, _ = run_setup(read_folder_config(folder, tmp_path, kind='csv', **QUICK))
    assert {row[2] for row in listed(values['train_list'])} == {'Hund', 'Kätzchen'}
    write_table(folder / 'train.csv', rows)
    write_table(folder / 'val.csv', rows[:1])
    _, notes = run_setup(read_folder_config(folder, tmp_path, kind='csv', **QUICK))
    assert any(note.startswith('1 images stand in a table twice') for note in notes)
    assert 'no images of Kätzchen in val' in notes


def test_a_table_that_is_there_may_be_left_alone(folder, tmp_path):
    (folder / 'test.csv').write_text('img_path\nall/0.png\n')
    cfg = read_folder_config(folder, tmp_path, kind='csv', **QUICK)
    with pytest.raises(ValueError, match=r'test.csv: the first line must name the columns'):
        run_setup(cfg)
    cfg.auto_setup.test = False
    values, _ = run_setup(cfg)
    assert values['test_list'] == values['val_list']


def test_numbers_with_leading_zeros(folder, tmp_path):
    write_table(folder / 'train.csv', [f'all/{i}.png,{i:02d}' for i in range(12)])
    write_table(folder / 'val.csv', ['all/1.png,01', 'all/11.png,11'])
    values, _ = run_setup(read_folder_config(folder, tmp_path, kind='csv', **QUICK))
    assert [row[1] for row in listed(values['val_list'])] == ['1', '11']


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
    refused(
        r'auto_setup.train=\[.a.csv., .b.csv.\] must be the path of a table',
        **{'auto_setup.train': ['a.csv', 'b.csv']},
    )
    refused('auto_setup.train=False must be the path', **{'auto_setup.train': False})
    refused('auto_setup.val=2024 must be the path', **{'auto_setup.val': 2024})
    write_table(folder / 'val.csv', ['all/1.png,Maus'])
    refused("val.csv: line 2: 'Maus' is neither one of the 2 classes")
    (folder / 'val.csv').unlink()
    write_table(folder / 'train.csv', ['all/1.png,Hund', 'all/2.png,Hund'])
    refused('train.csv: two or more classes are needed, found Hund alone')
    write_table(folder / 'train.csv', ['1.png,Hund', '2.png,Maus'])
    refused(f'train.csv: none of its images can be read; the first is {folder}/1.png: .*No such file')
    write_table(folder / 'val.csv', ['all/1.png,Hund', 'all/2.png,Maus'])
    refused('train.csv: none of its images can be read')
    write_table(folder / 'train.csv', ['all/1.png,Hund', '../2.png,Maus'])
    refused(f'train.csv: .*2.png is not below data_root={folder}: name a folder above all images')
    write_table(folder / 'train.csv', ['all/1.png,Hund', 'all/2,5.png,Maus'])
    refused('train.csv: line 3 has more cells than the first line has names: put quotes')
