# SPDX-License-Identifier: Apache-2.0
"""From a folder to a complete config, and what a person's own values do to it."""

import csv
from pathlib import Path

import pytest
import torch
from folder_config import QUICK, TINY, completed_folder_config, read_folder_config, run_setup
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from mmpretrain.registry import DATASETS
from tree_builders import build_own_folder, write_image

from tcl_plugin.auto_setup import complete, decide, image_folder
from tcl_plugin.auto_setup.placeholders import open_values
from tcl_plugin.auto_setup.trial import Trial
from tcl_plugin.cli import BUILDING
from tcl_plugin.moved_lists import count_kept_back
from tcl_plugin.reports.audit import write_label_lists
from tcl_plugin.reports.audit.label_lists import list_root

LIST = 'train_dataloader.dataset.dataset.ann_file'
CLASSES = ['grüner Apfel', 'red car', 'Ünü']


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return build_own_folder(tmp_path_factory.mktemp('own') / 'my images')


def listed(path):
    with open(path, newline='', encoding='utf-8') as file:
        return [(row['img_path'], row.get('gt_class', row['gt_label'])) for row in csv.DictReader(file)]


def test_completes_the_config(folder, tmp_path):
    cfg = completed_folder_config(folder, tmp_path, **QUICK)
    assert open_values(cfg) == {} and cfg.auto_setup is None
    assert cfg.classes == CLASSES and cfg.data_root == str(folder)
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes == 3
    train, val = cfg.train_dataloader.dataset.dataset, cfg.val_dataloader.dataset
    assert train.data_root == val.data_root == str(folder) and train.classes == val.classes == CLASSES
    assert cfg.test_dataloader.dataset == val
    assert cfg.train_dataloader.dataset.num_classes == 3
    assert all(Path(part.ann_file).is_absolute() and Path(part.ann_file).is_file() for part in (train, val))
    assert cfg.param_scheduler[1].end == cfg.train_cfg.max_epochs == 100
    assert (cfg.train_dataloader.batch_size, cfg.val_dataloader.batch_size) == (4, 16)
    assert cfg.optim_wrapper.optimizer.lr == 0.005 / 8
    assert (cfg.auto_scale_lr.enable, cfg.auto_scale_lr.base_batch_size) == (False, 4)
    assert (cfg.image_size, val.pipeline[1].scale, val.pipeline[2].crop_size) == (224, 256, 224)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        assert (len(DATASETS.build(cfg.train_dataloader.dataset)), len(DATASETS.build(val))) == (27, 3)
    train, val = listed(train.ann_file), listed(val.ann_file)
    assert not set(train) & set(val) and len({*train, *val}) == 30
    assert sorted(name for _, name in val) == CLASSES
    assert all(path.startswith(f'{name}/') for path, name in train + val)
    assert ('red car/more/04.png', 'red car') in train + val
    assert count_kept_back(cfg.val_dataloader.dataset.ann_file) == 3
    assert count_kept_back(cfg.train_dataloader.dataset.dataset.ann_file) == 0


def test_how_many_are_kept_back_is_not_known_without_their_list(folder, tmp_path):
    """Or where an earlier release wrote it, which did not note them."""
    val = Path(run_setup(read_folder_config(folder, tmp_path, **QUICK))[0]['val_list'])
    assert count_kept_back(str(val)) == 3
    rows = [line.rpartition(',')[0] for line in val.read_text(encoding='utf-8').splitlines()]
    assert rows[0] == 'img_path,gt_label,gt_class'
    val.write_text('\n'.join(rows), encoding='utf-8')
    assert count_kept_back(str(val)) is None
    val.unlink()
    assert count_kept_back(str(val)) is None and count_kept_back(str(val.with_name('mine.csv'))) == 0


def test_says_what_it_found_and_chose(folder, tmp_path):
    _, notes = run_setup(read_folder_config(folder, tmp_path, **QUICK))
    assert notes[:5] == [
        f'{folder}: 3 classes, 30 images (grüner Apfel 10, red car 10, Ünü 10)',
        'passed over, as their names are not those of images: 2 files (.db 1, .txt 1)',
        'no class, as there is no image in it: nothing',
        'left out, as no folder says which class they are: loose.png',
        'validation: 3 images are kept back, 10% of each class. They are neither trained on nor audited; '
        '--no-validate keeps none back',
    ]
    assert 'labels of validation images may be wrong, too' in notes[5]
    assert notes[6].startswith('image_size=224 train_dataloader.batch_size=4 train_dataloader.num_workers=')
    assert 'train_cfg.max_epochs=100 model.head.warmup_epochs=10 optim_wrapper.optimizer.lr=0.000625; any' in notes[6]
    assert len(notes) == 7


def test_own_values_win_and_the_rest_suits_them(folder, tmp_path):
    own = {
        'classes': ['Ünü', 'red car'],
        'image_size': 96,
        'train_dataloader.batch_size': 8,
        'train_dataloader.num_workers': 3,
        'train_cfg.max_epochs': 40,
        'optim_wrapper.optimizer.lr': 0.5,
        'val_dataloader.batch_size': 5,
        'auto_setup.val_share': 0.4,
    }
    cfg = completed_folder_config(folder, tmp_path, **QUICK, **own)
    assert cfg.classes == cfg.val_dataloader.dataset.classes == ['Ünü', 'red car']
    assert cfg.model.head.num_classes == 2
    assert (cfg.train_dataloader.batch_size, cfg.train_dataloader.num_workers) == (8, 3)
    assert (cfg.val_dataloader.batch_size, cfg.test_dataloader.batch_size, cfg.val_dataloader.num_workers) == (
        5,
        32,
        3,
    )
    assert (cfg.train_cfg.max_epochs, cfg.param_scheduler[1].end, cfg.model.head.warmup_epochs) == (40, 40, 4)
    assert cfg.optim_wrapper.optimizer.lr == 0.5
    assert cfg.val_dataloader.dataset.pipeline[2].crop_size == 96
    assert sorted({name for _, name in listed(cfg.train_dataloader.dataset.dataset.ann_file)}) == ['red car', 'Ünü']
    assert len(listed(cfg.val_dataloader.dataset.ann_file)) == 8


def test_a_relative_folder_becomes_whole(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder.parent)
    cfg = completed_folder_config('my images', 'w', **QUICK)
    assert cfg.data_root == cfg.val_dataloader.dataset.data_root == str(folder)
    assert cfg.val_dataloader.dataset.ann_file.startswith(str(folder.parent / 'w'))


def test_parts_are_kept_as_they_are(tmp_path):
    for part, count in [('train', 3), ('val', 2), ('test', 1)]:
        build_own_folder(tmp_path / 'pictures' / part, count=count)
    cfg = completed_folder_config(tmp_path / 'pictures', tmp_path, **QUICK)
    loaders = (cfg.train_dataloader.dataset, cfg.val_dataloader, cfg.test_dataloader)
    lists = [listed(loader.dataset.ann_file) for loader in loaders]
    assert [len(rows) for rows in lists] == [9, 6, 3]
    assert count_kept_back(cfg.val_dataloader.dataset.ann_file) == 0
    assert [{path.split('/')[0] for path, _ in rows} for rows in lists] == [{'train'}, {'val'}, {'test'}]


def test_nothing_is_kept_back_without_validation(folder, tmp_path):
    cfg = read_folder_config(folder, tmp_path, **QUICK)
    cfg.val_dataloader = None
    values, notes = run_setup(cfg)
    assert len(listed(values['train_list'])) == 30 and values['test_list'] == values['train_list']
    told = (
        'no validation: all labels of the training part are trained on, and audited; a test later on will be of these'
    )
    assert f'{told} images, too' in notes


def test_a_folder_for_validation_is_there_to_test_without_it(tmp_path):
    for part, count in [('train', 3), ('val', 2)]:
        build_own_folder(tmp_path / 'own' / part, count=count)
    cfg = read_folder_config(tmp_path / 'own', tmp_path, **QUICK)
    cfg.val_dataloader = None
    values, _ = run_setup(cfg)
    assert (len(listed(values['train_list'])), len(listed(values['test_list']))) == (9, 6)


def test_images_that_cannot_be_read_are_left_out(tmp_path):
    folder = build_own_folder(tmp_path / 'own')
    (folder / 'Ünü' / 'broken, "so".jpg').write_text('no image')
    (folder / 'only').mkdir()
    (folder / 'only' / 'broken.jpg').touch()
    values, notes = run_setup(read_folder_config(folder, tmp_path, **QUICK))
    assert values['classes'] == CLASSES and len(listed(values['train_list'])) == 27
    assert any('they cannot be read: only/broken.jpg, Ünü/broken, "so".jpg (' in note for note in notes)
    with (tmp_path / 'lists' / 'left_out.csv').open(newline='', encoding='utf-8') as file:
        assert [row['img_path'] for row in csv.DictReader(file)] == ['only/broken.jpg', 'Ünü/broken, "so".jpg']
    unchecked, _ = run_setup(read_folder_config(folder, tmp_path, **QUICK, **{'auto_setup.check_images': False}))
    assert unchecked['num_classes'] == 4 and (tmp_path / 'lists' / 'left_out.csv').exists()
    (folder / 'Ünü' / 'broken, "so".jpg').unlink()
    (folder / 'only' / 'broken.jpg').unlink()
    run_setup(read_folder_config(folder, tmp_path, **QUICK))
    assert not (tmp_path / 'lists' / 'left_out.csv').exists()  # put right


def test_a_part_of_which_no_image_can_be_read(tmp_path):
    """Folders are no other data set than they would be if the images could be read."""
    for part in ('train', 'val'):
        build_own_folder(tmp_path / 'own' / part)
    for broken in ('val', 'train'):
        for path in images_of(tmp_path / 'own' / broken):
            path.write_text('no image')
        with pytest.raises(
            ValueError, match=rf'own/{broken}: none of its images can be read; the first is .*/{broken}/'
        ):
            run_setup(read_folder_config(tmp_path / 'own', tmp_path, **QUICK))


def test_a_class_of_which_no_image_can_be_read_is_named(tmp_path):
    folder = build_own_folder(tmp_path / 'own' / 'train').parent
    for path in (folder / 'train' / 'red car').glob('**/*.*'):
        path.write_text('no image')
    (folder / 'train' / 'bird').mkdir()
    values, notes = run_setup(read_folder_config(folder, tmp_path, **QUICK))
    assert 'red car' not in values['classes'] and 'no image of red car in train can be read' in notes
    assert any(note.startswith('no class, as there is no image in it: ') and 'train/bird' in note for note in notes)
    for path in (folder / 'train' / 'Ünü').glob('**/*.*'):
        path.write_text('no image')
    with pytest.raises(ValueError, match='found only grüner Apfel; no image of red car, Ünü can be read'):
        run_setup(read_folder_config(folder, tmp_path, **QUICK))


def test_corrected_labels_of_images_that_are_to_validate(folder, tmp_path):
    """Of a training without validation, all images are in the list."""
    rows = [f'{path.relative_to(folder)},{path.relative_to(folder).parts[0]}' for path in images_of(folder)]
    table = tmp_path / 'corrected.csv'
    ours = {'train_dataloader.dataset.dataset.ann_file': str(table)}
    table.write_text('\n'.join(['img_path,gt_label', *rows]), encoding='utf-8')
    cfg = read_folder_config(folder, tmp_path, **QUICK, **ours)
    with pytest.raises(ValueError, match=r'corrected.csv lists 3 of the 3 images that would be kept back .*--no-val'):
        run_setup(cfg)
    cfg.val_dataloader = None
    run_setup(cfg)
    # Of one with validation they are not.
    values, _ = run_setup(read_folder_config(folder, tmp_path, **QUICK))
    kept = {path for path, _ in listed(values['val_list'])}
    table.write_text(
        '\n'.join(['img_path,gt_label', *(row for row in rows if row.rsplit(',', 1)[0] not in kept)]), encoding='utf-8'
    )
    again, _ = run_setup(read_folder_config(folder, tmp_path, **QUICK, **ours))
    assert again['val_list'] == values['val_list']


def test_without_validation_a_list_of_ones_own_is_there_to_test(folder, tmp_path):
    """With its labels, not with those of the folder."""
    images = images_of(folder)
    named = write_own_list(tmp_path / 'mine.csv', folder, images)
    text = (tmp_path / 'mine.csv').read_text(encoding='utf-8')
    (tmp_path / 'mine.csv').write_text(text.replace(f'{named[0]},grüner Apfel', f'{named[0]},Ünü'), encoding='utf-8')
    cfg = read_folder_config(folder, tmp_path, **QUICK, **{LIST: str(tmp_path / 'mine.csv')})
    cfg.val_dataloader = None
    values, notes = run_setup(cfg)
    tested = listed(values['test_list'])
    assert len(tested) == 30 and (named[0], 'Ünü') in tested
    told = f'no validation: all labels of {tmp_path / "mine.csv"} are trained on, and audited; a test later on will be'
    assert f'{told} of these images, too' in notes and not any('outside data_root' in note for note in notes)
    # Paths of which start elsewhere.
    (tmp_path / 'elsewhere').symlink_to(folder)
    cfg.train_dataloader.dataset.dataset.update(dict(data_root=str(tmp_path), data_prefix='elsewhere'))
    _, notes = run_setup(cfg)
    told = f'{tmp_path / "mine.csv"} lists images outside data_root={folder}: a test later on needs '
    assert f'{told}--cfg-options test_dataloader.dataset.allow_outside=True' in notes


@pytest.mark.parametrize('count', [10, 11])
def test_the_same_images_validate_after_some_were_deleted(tmp_path, count):
    """Of 10 images and of 9 two are kept back, of 11 three: other images would be drawn, or fewer."""
    own = build_own_folder(tmp_path / 'own', count=count)
    share = {**QUICK, 'auto_setup.val_share': 0.25}
    before, _ = run_setup(read_folder_config(own, tmp_path, **share))
    train, val = ([path for path, _ in listed(before[f'{part}_list'])] for part in ('train', 'val'))
    write_own_list(tmp_path / 'corrected.csv', own, [own / path for path in train])
    gone = {val[0], next(path for path in train if 'Ünü' in path)}
    for path in gone:
        (own / path).unlink()
    ours = {LIST: str(tmp_path / 'corrected.csv'), **share}
    after, notes = run_setup(read_folder_config(own, tmp_path, **ours))
    assert [path for path, _ in listed(after['val_list'])] == [path for path in val if path not in gone]
    assert [path for path, _ in listed(after['train_list'])] == [path for path in train if path not in gone]
    kept = len(val) - 1
    assert any(note.startswith(f'validation: {kept} images are kept back, which {tmp_path}') for note in notes)


def test_what_is_no_longer_in_the_list_does_not_validate(folder, tmp_path):
    """One row that was deleted is no sign that images were kept back."""
    first = write_own_list(tmp_path / 'mine.csv', folder, images_of(folder))
    before, _ = run_setup(read_folder_config(folder, tmp_path, **QUICK))
    dropped = listed(before['val_list'])[0][0]
    write_own_list(tmp_path / 'mine.csv', folder, [folder / path for path in first if path != dropped])
    with pytest.raises(ValueError, match=r'mine\.csv lists 2 of the 3 images that would be kept back'):
        run_setup(read_folder_config(folder, tmp_path, **QUICK, **{LIST: str(tmp_path / 'mine.csv')}))


def test_settings_suit_a_list_of_ones_own(folder, tmp_path):
    table = tmp_path / 'few.csv'
    rows = [f'{path.relative_to(folder)},{path.relative_to(folder).parts[0]}' for path in images_of(folder)[:3]]
    table.write_text('\n'.join(['img_path,gt_label', *rows]), encoding='utf-8')
    own = {'train_dataloader.dataset.dataset.ann_file': str(table)}
    cfg = read_folder_config(folder, tmp_path, **QUICK, **own)
    cfg.val_dataloader = None
    assert run_setup(cfg)[0]['batch_size'] <= 3


def write_own_list(table, folder, paths):
    rows = [f'{path.relative_to(folder)},{path.relative_to(folder).parts[0]}' for path in paths]
    table.write_text('\n'.join(['img_path,gt_label', *rows]) + '\n', encoding='utf-8')
    return [row.rsplit(',', 1)[0] for row in rows]


def test_a_list_of_ones_own_validates(folder, tmp_path):
    """Its images are not trained on, and no others are kept back."""
    named = write_own_list(folder.parent / 'myval.csv', folder, images_of(folder)[:4])
    ours = {'val_dataloader.dataset.ann_file': str(folder.parent / 'myval.csv')}
    cfg = completed_folder_config(folder, tmp_path, **QUICK, **ours)
    assert cfg.val_dataloader.dataset.ann_file == str(folder.parent / 'myval.csv')
    trained = {path for path, _ in listed(cfg.train_dataloader.dataset.dataset.ann_file)}
    assert len(trained) == 26 and not trained & set(named)
    assert {path for path, _ in listed(cfg.test_dataloader.dataset.ann_file)} == set(named)
    _, notes = run_setup(read_folder_config(folder, tmp_path, **QUICK, **ours))
    assert any(note.startswith('validation is on the 4 images that ') for note in notes)
    assert any(note.startswith('not trained on, as they stand in ') and ': 4 images (grüner' in note for note in notes)
    assert not any('kept back' in note for note in notes)
    # All of a class cannot be.
    write_own_list(folder.parent / 'myval.csv', folder, (folder / 'red car').glob('**/*.*'))
    with pytest.raises(ValueError, match=r'myval\.csv lists all images of red car, so that there is none to train on'):
        run_setup(read_folder_config(folder, tmp_path, **QUICK, **ours))


def test_lists_that_reach_the_folder_by_another_path(folder, tmp_path):
    """By a link, its images are the same."""
    link = tmp_path / 'elsewhere' / 'link'
    link.parent.mkdir()
    link.symlink_to(folder)
    images = images_of(folder)
    named = write_own_list(tmp_path / 'mine.csv', folder, images[:4])
    ours = {'val_dataloader.dataset.ann_file': str(tmp_path / 'mine.csv')}
    ours |= {'val_dataloader.dataset.data_root': str(folder)}
    values, _ = run_setup(read_folder_config(link, tmp_path, **QUICK, **ours))
    trained = {path for path, _ in listed(values['train_list'])}
    assert len(trained) == 26 and not trained & set(named)
    # Nor where a list says what is trained on.
    write_own_list(tmp_path / 'trained.csv', folder, images[3:20])
    ours |= {LIST: str(tmp_path / 'trained.csv')}
    with pytest.raises(ValueError, match=r'trained\.csv lists 1 of the images that are to validate'):
        run_setup(read_folder_config(link, tmp_path, **QUICK, **ours))
    write_own_list(tmp_path / 'val.csv', folder, images[20:24])
    ours = {key.replace('val_', 'test_'): value for key, value in ours.items()}
    ours |= {'val_dataloader.dataset.ann_file': str(tmp_path / 'val.csv')}
    _, notes = run_setup(read_folder_config(link, tmp_path, **QUICK, **ours))
    both = link / images[3].relative_to(folder)
    assert any(note.startswith('both ') and f'list 1 images ({both})' in note for note in notes)


def test_lists_of_ones_own_for_all_parts(folder, tmp_path):
    """Which images the set-up would have kept back does not matter."""
    images, keys = images_of(folder), []
    for part, some in [('train', images[:20]), ('val', images[20:28]), ('test', images[26:])]:
        write_own_list(tmp_path / f'{part}.csv', folder, some)
        keys.append(f'{part}_dataloader.dataset{".dataset" if part == "train" else ""}.ann_file')
    ours = {key: str(tmp_path / f'{key.split("_")[0]}.csv') for key in keys}
    values, notes = run_setup(read_folder_config(folder, tmp_path, **QUICK, **ours))
    assert (len(listed(values['val_list'])), len(listed(values['test_list']))) == (8, 4)
    assert not any('kept back' in note or note.startswith('both ') for note in notes)
    write_own_list(tmp_path / 'test.csv', folder, images[19:21])
    _, notes = run_setup(read_folder_config(folder, tmp_path, **QUICK, **ours))
    assert any(note.startswith('both ') and f'list 1 images ({images[19]})' in note for note in notes)
    write_own_list(tmp_path / 'val.csv', folder, images[19:21])
    with pytest.raises(ValueError, match=r'train\.csv lists 1 of the images that are to validate'):
        run_setup(read_folder_config(folder, tmp_path, **QUICK, **ours))


def test_an_own_list_to_test_is_neither_trained_on_nor_kept_back(folder, tmp_path):
    named = write_own_list(tmp_path / 'mine.csv', folder, images_of(folder)[::3])
    own = {'test_dataloader.dataset.ann_file': str(tmp_path / 'mine.csv')}
    values, _ = run_setup(read_folder_config(folder, tmp_path, **QUICK, **own))
    parts = [{path for path, _ in listed(values[f'{part}_list'])} for part in ('train', 'val', 'test')]
    assert sorted(map(len, parts)) == [3, 10, 17] and len(set.union(*parts)) == 30 and parts[2] == set(named)
    # Nor where a list says what is trained on, of which some images are gone since.
    write_own_list(tmp_path / 'corrected.csv', folder, [folder / path for path in sorted(parts[0])])
    own |= {LIST: str(tmp_path / 'corrected.csv'), 'auto_setup.val_share': 0.3}
    values, _ = run_setup(read_folder_config(folder, tmp_path, **QUICK, **own))
    kept = {path for path, _ in listed(values['val_list'])}
    assert kept and not kept & (parts[0] | parts[2])


def test_images_of_a_list_of_ones_own_that_are_gone(folder, tmp_path, monkeypatch):
    """Deleting a file is a way to drop an image; the others keep their order."""
    own = build_own_folder(tmp_path / 'own')
    images = images_of(own)[::-1]
    named = write_own_list(tmp_path / 'corrected.csv', own, images)
    images[3].unlink()
    images[5].write_text('no image')
    ours = {LIST: str(tmp_path / 'corrected.csv'), **TINY}
    cfg = read_folder_config(own, tmp_path / 'w', **ours)
    cfg.val_dataloader = None
    complete(cfg, decide(cfg, *BUILDING), *BUILDING)  # with a step on some of them
    table = Path(cfg.train_dataloader.dataset.dataset.ann_file)
    assert table.parent == tmp_path / 'w' / 'lists' and table.name.startswith('own_train_')
    left = [path for i, path in enumerate(named) if i not in (3, 5)]
    assert [path for path, _ in listed(table)] == left
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        assert len(DATASETS.build(cfg.train_dataloader.dataset)) == 28
    again = read_folder_config(own, tmp_path / 'w', **ours, **QUICK)
    again.val_dataloader = None
    _, notes = run_setup(again)
    (told,) = [
        note for note in notes if note.startswith(f'left out of {tmp_path / "corrected.csv"}, as they are gone')
    ]
    assert '2 images (' in told and images[3].name in told and 'list of the other 28' in told
    # One that goes on reads the same list.
    checkpoint = tmp_path / 'w' / 'epoch_1.pth'
    torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict={}), checkpoint)
    (tmp_path / 'w' / 'last_checkpoint').write_text(str(checkpoint))
    resumed = read_folder_config(own, tmp_path / 'w', **ours, resume=True)
    resumed.val_dataloader = None
    complete(resumed, decide(resumed, *BUILDING), *BUILDING)
    assert resumed.train_dataloader == cfg.train_dataloader
    # But no longer where another list is named, or that one has been changed.
    write_own_list(tmp_path / 'corrected.csv', own, images[6:])
    resumed = read_folder_config(own, tmp_path / 'w', **ours, resume=True)
    resumed.val_dataloader = None
    complete(resumed, decide(resumed, *BUILDING), *BUILDING)
    assert resumed.train_dataloader.dataset.dataset.ann_file == str(tmp_path / 'corrected.csv')


def test_corrected_labels_of_a_folder_with_parts(tmp_path):
    """Their paths start from the folder that the training was given, whatever folder all its images lie in."""
    for part, count in [('train', 3), ('val', 2)]:
        build_own_folder(tmp_path / 'own' / part, count=count)
    cfg = completed_folder_config(tmp_path / 'own', tmp_path / 'w', **QUICK)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
    corrected = (dataset.given_labels + 1) % 3
    _, table = write_label_lists(dataset, corrected, tmp_path, 'corrected')
    assert list_root(dataset) == str(tmp_path / 'own')
    again = completed_folder_config(tmp_path / 'own', tmp_path / 'again', **QUICK, **{LIST: str(table)})
    assert again.train_dataloader.dataset.dataset.ann_file == str(table)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        trained = DATASETS.build(again.train_dataloader.dataset)
    assert trained.img_paths == dataset.img_paths and trained.given_labels.tolist() == corrected.tolist()


def test_a_list_of_which_a_class_or_everything_is_gone(folder, tmp_path):
    own = build_own_folder(tmp_path / 'own')
    write_own_list(tmp_path / 'mine.csv', own, images_of(own))
    for path in list((own / 'red car').glob('**/*.*')):
        path.rename(path.with_stem(f'{path.stem} renamed'))
    cfg = read_folder_config(own, tmp_path, **QUICK, **{LIST: str(tmp_path / 'mine.csv')})
    cfg.val_dataloader = None
    _, notes = run_setup(cfg)
    assert f'no image of red car in {tmp_path / "mine.csv"} can be read' in notes
    table = tmp_path / 'mine.csv'
    header, *rows = table.read_text(encoding='utf-8').splitlines()
    table.write_text('\n'.join([header, *(f'elsewhere/{row}' for row in rows)]), encoding='utf-8')
    with pytest.raises(ValueError, match=r'mine\.csv: none of its images can be read; .*\.dataset\.data_root=FOLDER'):
        run_setup(cfg)


def images_of(folder):
    found = (path for name in CLASSES for path in (folder / name).glob('**/*.*'))
    return sorted(path for path in found if path.suffix in ('.png', '.JPG'))


def test_a_step_on_a_few_images_decides(folder, tmp_path, monkeypatch):
    tried = []

    def step(cfg, device):
        tried.append((open_values(cfg), cfg.image_size, device.type))
        return Trial(seconds=2000.0, sample_bytes=2.0**50, model_bytes=0)

    monkeypatch.setattr(image_folder, 'try_step', step)
    monkeypatch.setattr(image_folder, 'get_device', lambda: 'cpu')
    values, notes = run_setup(read_folder_config(folder, tmp_path))
    assert (values['image_size'], values['max_epochs'], values['batch_size']) == (112, 10, 2)
    assert notes[7].startswith('estimated time on cpu: about 41 hours (5e+02 s for an image and epoch')
    assert 'max_hours=12' in notes[8]
    values, _ = run_setup(read_folder_config(folder, tmp_path, image_size=56, **{'auto_setup.max_hours': 600}))
    assert (values['image_size'], values['max_epochs']) == (56, 35)
    assert tried == [({}, 224, 'cpu'), ({}, 56, 'cpu')]


def test_on_a_gpu_memory_decides_and_time_does_not(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(image_folder, 'try_step', lambda cfg, device: Trial(2000.0, 2.0**30, 2**20))
    monkeypatch.setattr(image_folder, 'get_device', lambda: 'cuda')
    monkeypatch.setattr(torch.cuda, 'mem_get_info', lambda device: (5 * 2**30, 80 * 2**30))
    values, notes = run_setup(read_folder_config(folder, tmp_path))
    assert (values['image_size'], values['max_epochs'], values['batch_size']) == (224, 100, 2)
    assert values['num_workers'] >= 1 and not any('estimated' in note for note in notes)


@pytest.mark.parametrize('epochs', [1, 2, 30])
def test_learning_rate(folder, tmp_path, epochs):
    """It rises to the second epoch, and falls to nearly nothing from there, in however few epochs."""
    cfg = completed_folder_config(folder, tmp_path, **QUICK, **{'train_cfg.max_epochs': epochs})
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedulers = [PARAM_SCHEDULERS.build({**part, 'optimizer': optimizer}) for part in cfg.param_scheduler]
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    assert rates[0] == pytest.approx(0.2)
    if epochs == 2:
        assert rates[1] == pytest.approx(0.505)  # half-way down, as there is no third one
    if epochs == 30:
        assert max(rates) == rates[1] == pytest.approx(1, abs=0.02) and rates[-1] == pytest.approx(0.01, abs=0.01)


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({'data_root': 'auto:data_root'}, r'where are the images\? .*--cfg-options data_root=PATH'),
        ({'data_root': 'gone'}, 'data_root .*gone does not exist'),
        ({'data_root': 1.5}, 'data_root=1.5 must be the path of a folder'),
        ({'data_root': ''}, 'data_root= must be the path of a folder'),
        ({'classes': 'cat'}, 'classes=cat must be a list of names'),
        ({'image_size': 0}, 'image_size=0 must be a whole number, 1 or more'),
        ({'train_dataloader.batch_size': 'large'}, 'train_dataloader.batch_size=large must be'),
        ({'optim_wrapper.optimizer.lr': 0}, 'lr=0 must be a number above 0'),
        ({'auto_setup.val_share': 0}, 'val_share must lie between 0 and 1, got 0; --no-validate'),
        ({'auto_setup.layout': 'flat'}, "layout must be 'classes' or 'parts', got 'flat'"),
        ({'train_dataloader.batch_size': 64}, '27 images to train on are fewer than a batch of 64'),
    ],
)
def test_refusals(folder, tmp_path, options, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        run_setup(read_folder_config(folder, tmp_path, **{**QUICK, **options}))


def test_too_few_images_to_keep_any_back(tmp_path):
    for name in ('a', 'b'):
        write_image(tmp_path / 'own' / name / '1.png', 0, 2)
    cfg = read_folder_config(tmp_path / 'own', tmp_path, **QUICK)
    with pytest.raises(ValueError, match=r'no class has the 5 images .* --no-validate'):
        run_setup(cfg)
    cfg.val_dataloader = None
    assert run_setup(cfg)[0]['batch_size'] == 2
