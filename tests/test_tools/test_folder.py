# SPDX-License-Identifier: Apache-2.0
"""A person with a folder of images: train, go on, find doubtful labels, classify."""

import csv
import json
import re
import shutil
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest
from folder_config import TINY, completed_folder_config
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS
from toolbox import NARROW, ROOT, load_file
from tree_builders import build_own_folder, write_image

from tcl_plugin.evaluation import read_label_table
from tcl_plugin.reports import read_config
from tcl_plugin.saved_model import open_model
from tcl_plugin.saved_run import training_set

CONFIG = str(ROOT / 'configs' / 'tcl_r50_folder.py')
SMALL = [f'{key}={value}' for key, value in TINY.items()]


def run(train_tool, *flags, options=()):
    # mmengine tells the runs of one process apart by name and second.
    run.count = getattr(run, 'count', 0) + 1
    return train_tool.main([CONFIG, *flags, '--cfg-options', f'experiment_name=folder_{run.count}', *SMALL, *options])


@pytest.fixture(scope='module')
def trained_folder(train_tool, tmp_path_factory):
    """A folder of images beside the work directory of a training on it, and of its continuation after an image was
    added; and the config of the first part."""
    place = tmp_path_factory.mktemp('person')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setenv('LOCAL_RANK', '0')
        build_own_folder('my images', count=6)
        write_image('my images/red car/0 wrong.png', 0, 3)
        first = ['data_root=my images', 'train_cfg.max_epochs=1']
        assert run(train_tool, options=first) == 0
        before = config_of_run(place / 'work_dirs' / 'tcl_r50_folder')
        write_image('my images/red car/new.png', 1, 3)
        assert run(train_tool, '--resume', options=['train_cfg.max_epochs=2']) == 0
    return place, before


def config_of_run(work_dir):
    return Config.fromfile(work_dir / 'tcl_r50_folder.py')


def test_training_goes_on_with_the_same_images(trained_folder):
    place, before = trained_folder
    work_dir = place / 'work_dirs' / 'tcl_r50_folder'
    assert (work_dir / 'last_checkpoint').read_text().endswith('epoch_2.pth')
    after = config_of_run(work_dir)
    for key in (
        'data_root',
        'classes',
        'image_size',
        'train_dataloader',
        'val_dataloader',
        'test_dataloader',
        'model',
    ):
        assert after[key] == before[key], key
    assert (before.train_cfg.max_epochs, after.train_cfg.max_epochs, after.param_scheduler[1].end) == (1, 2, 2)
    assert 'auto:' not in after.pretty_text
    log = [path.read_text(encoding='utf-8') for path in sorted(work_dir.glob('*/*.log'))]
    assert 'ImageFolderSetup: nothing is chosen anew' not in log[0] and 'estimated time on ' in log[0]
    assert 'ImageFolderSetup: nothing is chosen anew' in log[1]


def test_audit_and_a_training_on_what_it_corrects(trained_folder, tmp_path, monkeypatch, capsys):
    """From another folder than the one that the training was started in."""
    place, before = trained_folder
    monkeypatch.chdir(tmp_path)
    work_dir = place / 'work_dirs' / 'tcl_r50_folder'
    audit_tool = load_file(ROOT / 'tools' / 'audit_labels.py')
    assert audit_tool.main([str(work_dir), '--out', 'audit', '--top', '3']) == 0
    table, summary = (
        read_label_table(work_dir / 'label_quality.csv'),
        json.loads(Path('audit/summary.json').read_text()),
    )
    assert summary['num_samples'] == 16 and summary['classes'] == before.classes
    assert summary['data_root'] == str(place / 'my images')
    told = '3 images were kept back for validation: their labels are not judged'
    assert summary['num_kept_back'] == 3 and summary['num_held_out'] == 0
    assert f'\n{told} (' in capsys.readouterr().out and told in Path('audit/index.html').read_text(encoding='utf-8')
    corrected = {
        'train_dataloader.dataset.dataset.ann_file': str(tmp_path / 'audit' / 'corrected_annotations.csv'),
        'auto_setup.trial': False,
    }
    cfg = completed_folder_config(place / 'my images', 'again', **corrected)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert dataset.img_paths == list(table.img_path)
    expected = np.where(table.is_label_issue, table.suggested_label, table.given_label).tolist()
    assert dataset.given_labels.tolist() == expected


def test_audit_without_the_list_of_images_kept_back(trained_folder, tmp_path, capsys):
    place, _ = trained_folder
    work_dir = place / 'work_dirs' / 'tcl_r50_folder'
    (val,) = work_dir.glob('lists/val_*.csv')
    moved = val.rename(tmp_path / 'val.csv')
    try:
        assert (
            load_file(ROOT / 'tools' / 'audit_labels.py').main([str(work_dir), '--out', str(tmp_path / 'audit')]) == 0
        )
    finally:
        moved.rename(val)
    assert json.loads((tmp_path / 'audit' / 'summary.json').read_text())['num_kept_back'] is None
    told = 'how many images were kept back for validation is not known'
    assert told in capsys.readouterr().out and told in (tmp_path / 'audit' / 'index.html').read_text(encoding='utf-8')


def test_audit_after_an_image_was_deleted(trained_folder, tmp_path, capsys):
    """Wherever it is in the list; where none of the first is there, the folder is another."""
    place, _ = trained_folder
    work_dir = place / 'work_dirs' / 'tcl_r50_folder'
    audit_tool = load_file(ROOT / 'tools' / 'audit_labels.py')
    paths = [Path(path) for path in read_label_table(work_dir / 'label_quality.csv').img_path[:10]]
    contents = [path.read_bytes() for path in paths]
    try:
        paths[0].unlink()
        assert audit_tool.main([str(work_dir), '--out', str(tmp_path / 'audit'), '--top', '16']) == 0
        assert f'there is no image {paths[0]}' not in capsys.readouterr().err
        for path in paths[1:]:
            path.unlink()
        assert audit_tool.main([str(work_dir), '--out', str(tmp_path / 'audit')]) == 2
        assert f'there is no image {paths[0]}, nor those next to it' in capsys.readouterr().err
    finally:
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)


def test_predictions_and_size_of_images(trained_folder, tmp_path):
    place, before = trained_folder
    checkpoint = place / 'work_dirs' / 'tcl_r50_folder' / 'epoch_2.pth'
    predict_tool = load_file(ROOT / 'tools' / 'predict.py')
    out = tmp_path / 'predictions.csv'
    assert predict_tool.main([str(checkpoint), str(place / 'my images' / 'Ünü'), '--out', str(out)]) == 0
    with out.open(newline='', encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 and {row['class'] for row in rows} <= set(before.classes)
    export_tool = load_file(ROOT / 'tools' / 'export_onnx.py')
    args = Namespace(checkpoint=str(checkpoint), config=None, cfg_options=None, device='cpu')
    assert export_tool.find_shape(*open_model(args)) == (3, 32, 32)


def test_the_config_of_the_run_tests_it_and_that_of_the_repository_is_refused(
    trained_folder, test_tool, tmp_path, monkeypatch, capsys
):
    place, _ = trained_folder
    monkeypatch.chdir(tmp_path)
    work_dir = place / 'work_dirs' / 'tcl_r50_folder'
    checkpoint = str(work_dir / 'epoch_2.pth')
    assert test_tool.main([CONFIG, checkpoint]) == 2
    assert f'such as {Path("work_dirs", "tcl_r50_folder", "tcl_r50_folder.py")}' in capsys.readouterr().err
    flags = ['--work-dir', 't', '--cfg-options', 'experiment_name=folder_test']
    flags = ['--show-dir', 's', '--interval', '1', *flags]
    assert test_tool.main([str(work_dir / 'tcl_r50_folder.py'), checkpoint, *flags]) == 0
    (listed,) = (work_dir / 'lists').glob('val_*.csv')
    assert len(list(Path('s').glob('[0-2]_*.png'))) == len(listed.read_text(encoding='utf-8').splitlines()) - 1 == 3


def test_a_work_directory_that_has_moved_is_tested_and_drawn(trained_folder, test_tool, tmp_path, monkeypatch):
    place, _ = trained_folder
    monkeypatch.chdir(tmp_path)
    work_dir = place / 'work_dirs' / 'tcl_r50_folder'
    moved = work_dir.rename(place / 'moved')
    try:
        flags = ['--work-dir', 't', '--cfg-options', 'experiment_name=moved_test']
        assert test_tool.main([str(moved / 'tcl_r50_folder.py'), str(moved / 'epoch_2.pth'), *flags]) == 0
        cfg = read_config(moved)[1]
        assert Path(cfg.train_dataloader.dataset.dataset.ann_file).parent == (moved / 'lists').resolve()
        assert list(cfg.classes) == list(training_set(cfg).metainfo['classes'])
    finally:
        moved.rename(work_dir)


def test_mistakes_are_one_line(train_tool, workplace, capsys):
    for options, words in [
        ([], 'Name their folder: --cfg-options data_root=PATH'),
        (['data_root=gone'], f'data_root {workplace / "gone"} does not exist'),
        (['data_root=cats, dogs,2024'], f'data_root {workplace / "cats, dogs,2024"} does not exist'),
    ]:
        assert run(train_tool, options=options) == 2
        line = capsys.readouterr().err
        assert line.startswith('error: ') and line.count('\n') == 1 and words in line
    # Before weights are looked for, which may have to be downloaded.
    assert train_tool.main([CONFIG, '--cfg-options', 'model.backbone.init_cfg.checkpoint=no.pth']) == 2
    assert 'Name their folder' in capsys.readouterr().err
    assert train_tool.main([CONFIG, '--cfg-options', 'dataroot=x']) == 2
    assert 'did you mean data_root?' in capsys.readouterr().err
    assert not (workplace / 'work_dirs').exists()


def test_mistakes_that_a_step_finds_are_one_line(train_tool, workplace, capsys):
    build_own_folder('my images', count=6)
    assert run(train_tool, options=['data_root=my images', 'model.head.in_channels=7']) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f'error: a layer expects 7 features, and gets {8 * NARROW}: is model.head.in_channels what the backbone gives?'
    )


def test_a_run_has_settled_where_its_images_are(trained_folder, train_tool, monkeypatch, capsys):
    """Its own config would take no notice of another folder at its top."""
    place, _ = trained_folder
    monkeypatch.chdir(place)
    own = str(place / 'work_dirs' / 'tcl_r50_folder' / 'tcl_r50_folder.py')
    assert train_tool.main([own, '--resume', '--cfg-options', 'data_root=elsewhere']) == 2
    assert 'error: data_root=... would change nothing: config ' in capsys.readouterr().err


def test_a_checkpoint_is_a_file(trained_folder, tmp_path, capsys):
    place, _ = trained_folder
    predict_tool = load_file(ROOT / 'tools' / 'predict.py')
    work_dir = place / 'work_dirs' / 'tcl_r50_folder'
    assert predict_tool.main([str(work_dir), str(place / 'my images'), '--out', str(tmp_path / 'p.csv')]) == 2
    line = capsys.readouterr().err
    assert f'{work_dir} is a folder: name a file in it, such as {work_dir / "epoch_2.pth"}' in line


def test_pictures_say_which_images_they_are_of(trained_folder, tmp_path):
    place, _ = trained_folder
    plot_tool = load_file(ROOT / 'tools' / 'plot.py')
    work_dir = place / 'work_dirs' / 'tcl_r50_folder'

    def written(run, kind):
        out = tmp_path / f'{kind}.svg'
        assert plot_tool.main([str(run), '--kind', kind, '--out', str(out), '--device', 'cpu']) == 0
        return out.read_text()

    text = written(work_dir, 'confusion')
    assert re.search(r'\d validation images, [\d.]+ % predicted as they are labelled', text)
    text = written(work_dir, 'curves')
    assert 'validation accuracy (%)' in text and 'wrong labels fitted' not in text
    # Without validation there are no others to test but those of training.
    shutil.copytree(work_dir, tmp_path / 'run')
    cfg = config_of_run(tmp_path / 'run')
    cfg.test_dataloader.dataset.ann_file = cfg.train_dataloader.dataset.dataset.ann_file
    for path in [tmp_path / 'run' / 'tcl_r50_folder.py', *(tmp_path / 'run').glob('*/vis_data/config.py')]:
        cfg.dump(path)
    text = written(tmp_path / 'run', 'tsne')
    assert '16 training images, by predicted class' in text and 'test images' not in text
    assert '16 training images, ' in written(tmp_path / 'run', 'confusion')
