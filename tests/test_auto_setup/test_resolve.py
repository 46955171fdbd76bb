# SPDX-License-Identifier: Apache-2.0
"""One process decides for all; a training that goes on takes its values from its checkpoint."""

import copy
from pathlib import Path

import pytest
import torch
from folder_config import QUICK, completed_folder_config, read_folder_config
from mmengine.config import Config
from resolve_workers import complete_in_process
from tree_builders import build_own_folder, write_image

from tcl_plugin.auto_setup import Decision, complete, decide
from tcl_plugin.auto_setup.placeholders import open_values
from tcl_plugin.cli import BUILDING
from tcl_plugin.errors import UserError
from tcl_plugin.moved_lists import found_list


@pytest.fixture
def folder(tmp_path):
    return build_own_folder(tmp_path / 'own')


def write_checkpoint(cfg, path):
    torch.save(dict(meta=dict(cfg=cfg.pretty_text), state_dict={}), path)
    (path.parent / 'last_checkpoint').write_text(str(path))
    return path


def resumed(folder, tmp_path, **options):
    return read_folder_config(folder, tmp_path / 'w', **QUICK, **options, resume=True)


@pytest.fixture
def before(folder, tmp_path):
    """Config of an earlier run, whose checkpoint is in ``w``."""
    own = {'train_dataloader.batch_size': 8, 'train_cfg.max_epochs': 7}
    cfg = completed_folder_config(folder, tmp_path / 'w', **QUICK, **own)
    write_checkpoint(cfg, tmp_path / 'w' / 'epoch_1.pth')
    return cfg


def test_a_resumed_run_has_the_same_values_whatever_was_added(before, folder, tmp_path):
    write_image(folder / 'another class' / '1.png', 0, 2)
    cfg = resumed(folder, tmp_path)
    decision = decide(cfg, *BUILDING)
    assert len(decision.notes) == 1 and str(tmp_path / 'w' / 'epoch_1.pth') in decision.notes[0]
    complete(cfg, decision)
    before.resume = True
    assert cfg.to_dict() == before.to_dict()


def test_its_folder_need_not_be_named_again_and_may_have_moved(before, folder, tmp_path):
    cfg = resumed('auto:data_root', tmp_path)
    complete(cfg, decide(cfg, *BUILDING))
    assert cfg.data_root == cfg.train_dataloader.dataset.dataset.data_root == str(folder)
    cfg = resumed(tmp_path / 'elsewhere', tmp_path, **{'train_cfg.max_epochs': 9})
    complete(cfg, decide(cfg, *BUILDING))
    assert cfg.train_dataloader.dataset.dataset.data_root == str(tmp_path / 'elsewhere')
    assert cfg.train_dataloader.dataset.dataset.ann_file == before.train_dataloader.dataset.dataset.ann_file
    assert (cfg.param_scheduler[1].end, cfg.train_dataloader.batch_size) == (9, 8)


def test_labels_keep_their_names(before, folder, tmp_path):
    cfg = resumed(folder, tmp_path, classes=list(before.classes))
    complete(cfg, decide(cfg, *BUILDING))
    assert cfg.classes == before.classes
    with pytest.raises(UserError, match=r'was trained with classes=\[.*in this order; leave classes out'):
        decide(resumed(folder, tmp_path, classes=before.classes[::-1]), *BUILDING)


def test_its_work_directory_may_have_moved(before, folder, tmp_path):
    (tmp_path / 'w').rename(tmp_path / 'moved')
    cfg = read_folder_config(folder, tmp_path / 'moved', **QUICK, resume=True)
    complete(cfg, decide(cfg, *BUILDING))
    name = Path(before.val_dataloader.dataset.ann_file).name
    assert cfg.val_dataloader.dataset.ann_file == str(tmp_path / 'moved' / 'lists' / name)
    # From Windows, say.
    assert found_list(rf'C:\gone\lists\{name}', tmp_path / 'moved') == cfg.val_dataloader.dataset.ann_file
    relative = rf'gone\lists\{name}'
    assert found_list(relative, tmp_path / 'moved') == relative


def test_a_named_checkpoint_and_another_work_directory(before, folder, tmp_path):
    checkpoint = tmp_path / 'w' / 'epoch_1.pth'
    cfg = read_folder_config(folder, tmp_path / 'new', resume=True, load_from=str(checkpoint))
    complete(cfg, decide(cfg, *BUILDING))
    assert cfg.val_dataloader == before.val_dataloader and not (tmp_path / 'new').exists()


def test_nothing_to_go_on_from(folder, tmp_path):
    cfg = resumed(folder, tmp_path)
    complete(cfg, decide(cfg, *BUILDING))
    assert cfg.train_dataloader.batch_size == 4 and open_values(cfg) == {}


def test_a_checkpoint_of_another_kind(before, folder, tmp_path):
    other = copy.deepcopy(before)
    other.val_dataloader = other.test_dataloader = None
    path = write_checkpoint(other, tmp_path / 'w' / 'epoch_2.pth')
    cfg = resumed(folder, tmp_path)
    with pytest.raises(UserError, match=f'{path} was trained by a config without val_dataloader'):
        complete(cfg, decide(cfg, *BUILDING))


def test_configs_that_leave_nothing_open_stay(before):
    text = before.pretty_text
    assert complete(before, decide(before)) == [] and before.pretty_text == text


def test_only_the_first_process_looks(folder, tmp_path, monkeypatch):
    cfg = read_folder_config(folder, tmp_path, **QUICK)
    cfg.launcher = 'pytorch'
    monkeypatch.setenv('RANK', '1')
    assert decide(cfg, *BUILDING) is None
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setenv('WORLD_SIZE', '2')
    values = decide(cfg, *BUILDING).values
    assert (values['batch_size'], values['total_batch_size']) == (4, 8)


def test_what_the_first_process_refuses_the_others_are_told(folder, tmp_path, monkeypatch):
    """They would wait for it otherwise; where there are none, it is raised at once, with its traceback."""
    done = []

    def fetch():
        done.append(1)
        raise UserError('no weights')

    for launcher in ('pytorch', 'none'):
        monkeypatch.setenv('RANK', '0')
        monkeypatch.setenv('WORLD_SIZE', '2')
        for where, complaint in ((tmp_path / 'gone', 'gone does not exist'), (folder, 'no weights')):
            done.clear()
            cfg = read_folder_config(where, tmp_path, **QUICK)
            cfg.launcher = launcher
            if launcher == 'none':
                with pytest.raises(UserError, match=complaint):
                    decide(cfg, *BUILDING, prepare=fetch)
            else:
                assert complaint in decide(cfg, *BUILDING, prepare=fetch).complaint
            assert bool(done) == (complaint == 'no weights')
        cfg = Config(dict(launcher=launcher))  # nothing to settle, but weights to fetch
        if launcher == 'pytorch':
            assert decide(cfg, prepare=fetch).complaint == 'no weights'
    assert complete(cfg, Decision()) == []


def test_all_processes_get_the_decision_of_the_first(two_processes):
    decision = Decision(dict(lr=0.5, classes=['a', 'b']), ['a note'])
    answers = two_processes(complete_in_process, decision)
    assert answers == [(0.5, ['a', 'b'], ['Own: a note'])] * 2
    assert two_processes(complete_in_process, Decision(complaint='no images in x')) == ['no images in x'] * 2


def test_a_complaint_is_one_line(tmp_path):
    cfg = read_folder_config(tmp_path / 'gone', tmp_path, **QUICK)
    with pytest.raises(UserError, match=r'data_root .*gone does not exist or is not a folder'):
        complete(cfg, decide(cfg, *BUILDING))
