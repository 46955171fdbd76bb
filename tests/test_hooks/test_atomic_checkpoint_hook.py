# SPDX-License-Identifier: Apache-2.0
"""Whenever a run is killed, and whether or not the disk is full, there is a checkpoint that loads."""

import shutil

import numpy as np
import pytest
import torch
from hook_workers import train_average
from killing import full_disk, killed_at_work, killed_in_the_middle
from mmengine.fileio import LocalBackend
from mmengine.hooks import CheckpointHook
from toy_runs import PLAIN_PIPELINE, build_runner, classifier, noisy_digits

from tcl_plugin.checkpoints import find_whole_checkpoint
from tcl_plugin.hooks import atomic_checkpoint_hook


def build(work_dir, kept=1, **settings):
    """A runner that could save a checkpoint, and its hook."""
    settings = dict(type='AtomicCheckpointHook', interval=1, max_keep_ckpts=kept) | settings
    runner = build_runner(
        work_dir,
        classifier(),
        noisy_digits(16, PLAIN_PIPELINE),
        default_hooks=dict(checkpoint=settings),
        train_cfg=dict(by_epoch=True, max_epochs=3, val_interval=1),
    )
    return runner, next(hook for hook in runner.hooks if isinstance(hook, CheckpointHook))


@pytest.fixture
def saving(tmp_path):
    """A function that saves the checkpoint of an epoch, as the hook does after each."""
    runner, hook = build(tmp_path)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    assert len(runner.train_dataloader) == 1
    hook.before_train(runner)

    def save(epoch):
        runner.train_loop._epoch = epoch
        hook.after_train_epoch(runner)

    save.model = runner.model
    return save


def kept(work_dir):
    return sorted(path.name for path in work_dir.glob('*.pth'))


def test_killed_writers_leave_a_whole_checkpoint(saving, tmp_path):
    """One checkpoint is kept; each is written twice, as where a new best accuracy is noted in it."""
    # Large enough to be killed in.
    saving.model.register_buffer('ballast', torch.rand(2_000_000))
    saving(0)
    for _ in killed_at_work(lambda number: saving(number // 2 % 5), times=8, longest=0.1):
        found = find_whole_checkpoint(tmp_path)
        # Not only is there one: it is the one on record.
        assert found.on_record and not found.damaged
        assert torch.load(found.path, weights_only=True)['state_dict']


def test_killed_in_the_middle_of_the_same_checkpoint(saving, tmp_path):
    """As where a new best accuracy is noted in it."""
    saving(0)
    size = (tmp_path / 'epoch_1.pth').stat().st_size
    killed_in_the_middle(lambda: saving(0), size // 2)
    found = find_whole_checkpoint(tmp_path)
    assert found.on_record and not found.damaged
    # What is left of the new one, the next writer removes.
    (left,) = tmp_path.glob('epoch_1.pth.*.tmp')
    assert left.stat().st_size == size // 2
    saving(0)
    assert not list(tmp_path.glob('*.tmp'))


def test_full_disk(saving, tmp_path):
    saving(0)
    former = (tmp_path / 'epoch_1.pth').read_bytes()
    with full_disk(len(former) // 2), pytest.raises(OSError, match=r'epoch_2\.pth'):
        saving(1)
    assert (tmp_path / 'epoch_1.pth').read_bytes() == former
    assert kept(tmp_path) == ['epoch_1.pth'] and not list(tmp_path.glob('*.tmp'))
    assert find_whole_checkpoint(tmp_path).on_record


def test_order(saving, tmp_path, monkeypatch):
    """The new checkpoint is whole before it is on record, and on record before the old one goes."""
    seen = []
    put, write, remove = LocalBackend.put, atomic_checkpoint_hook.write_text, LocalBackend.remove

    def note(name, function):
        def noted(*args):
            function(*args)
            seen.append((name, kept(tmp_path), find_whole_checkpoint(tmp_path).path))

        return noted

    monkeypatch.setattr(atomic_checkpoint_hook.AtomicLocalBackend, 'put', note('put', put))
    monkeypatch.setattr(atomic_checkpoint_hook, 'write_text', note('record', write))
    monkeypatch.setattr(LocalBackend, 'remove', note('remove', remove))
    first, second = tmp_path / 'epoch_1.pth', tmp_path / 'epoch_2.pth'
    saving(0)
    seen.clear()
    saving(1)
    both = [first.name, second.name]
    assert seen == [('put', both, first), ('record', both, second), ('remove', [second.name], second)]


def test_a_validation_alone(tmp_path):
    """Without training, nobody has told the hook where to write."""
    runner, hook = build(tmp_path, kept=2)
    hook.after_val_epoch(runner, dict(acc=0.5))
    assert kept(tmp_path) == []


def test_the_best_checkpoint_of_another_run_stays(tmp_path):
    """A run that goes on from it in a folder of its own knows it by its path."""
    other = tmp_path / 'other' / 'best_acc_epoch_1.pth'
    other.parent.mkdir()
    other.write_bytes(b'weights')
    runner, hook = build(tmp_path / 'own', kept=2, save_best='acc', rule='greater')
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    hook.before_train(runner)
    hook.best_ckpt_path = str(other)
    runner.message_hub.update_info('best_score', 0.1)
    runner.message_hub.update_info('best_ckpt', str(other))
    runner.train_loop._epoch = 2
    hook.after_val_epoch(runner, dict(acc=0.5))
    assert other.exists() and kept(tmp_path / 'own') == ['best_acc_epoch_2.pth']


def test_best_checkpoint_stays_until_there_is_a_better_one(tmp_path):
    """Runs of three epochs keep the files that mmengine's hook would keep."""
    runner, hook = build(tmp_path, kept=2, save_best='acc', rule='greater')
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    assert len(runner.train_dataloader) == 1
    hook.before_train(runner)
    for epoch, accuracy in enumerate([0.1, 0.3, 0.2]):
        runner.train_loop._epoch = epoch
        hook.after_train_epoch(runner)
        runner.train_loop._epoch = epoch + 1
        if epoch == 1:
            # Fails for want of room: the former one is still there.
            with full_disk(1000), pytest.raises(OSError, match='best_acc_epoch_2'):
                hook.after_val_epoch(runner, dict(acc=accuracy))
            assert (tmp_path / 'best_acc_epoch_1.pth').exists()
            runner.message_hub.update_info('best_score', 0.1)
            hook.best_ckpt_path = str(tmp_path / 'best_acc_epoch_1.pth')
        hook.after_val_epoch(runner, dict(acc=accuracy))
    assert kept(tmp_path) == ['best_acc_epoch_2.pth', 'epoch_2.pth', 'epoch_3.pth']
    assert torch.load(tmp_path / 'epoch_3.pth', weights_only=True)['message_hub']['runtime_info']['keep_ckpt_ids'] == [
        2,
        3,
    ]


def test_best_checkpoint_of_the_same_name(tmp_path):
    """After a resume an epoch may be the best one for a second time."""
    runner, hook = build(tmp_path, save_best='acc', rule='greater')
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    assert len(runner.train_dataloader) == 1
    hook.before_train(runner)
    for accuracy in (0.1, 0.2):
        hook.after_val_epoch(runner, dict(acc=accuracy))
    assert kept(tmp_path) == ['best_acc_epoch_0.pth']


def test_other_storage_is_left_alone(tmp_path):
    runner, hook = build(tmp_path, backend_args=dict(backend='local'))
    hook.before_train(runner)
    assert hook.backend_args == dict(backend='local')
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize('update_buffers', [False, True])
def test_batch_statistics_of_the_average_are_those_of_all_processes(update_buffers, two_processes, tmp_path):
    """Without SyncBN each process has its own."""
    (first, model, saved), (second, _, _) = two_processes(train_average, str(tmp_path), update_buffers)
    assert np.array_equal(first, second) and np.array_equal(first, saved)
    assert np.array_equal(first, model) is not update_buffers
