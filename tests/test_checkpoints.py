# SPDX-License-Identifier: Apache-2.0
"""Damaged checkpoints are recognised and named, and the one before is used."""

import os
import shutil

import pytest
import torch

from tcl_plugin.checkpoints import damage_of, find_whole_checkpoint, recorded_checkpoint


def save(path, **kwargs):
    torch.save(dict(state_dict=dict(weight=torch.arange(1000.0))), path, **kwargs)
    return path


def cut(path):
    """Leave half of a file, as a kill in the middle of writing does."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def zero_a_page(path):
    """Lose some bytes in the middle, as after a loss of power: torch would read zeros for weights."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 512] = bytes(512)
    path.write_bytes(content)
    return path


def test_whole_checkpoints(tmp_path):
    assert damage_of(save(tmp_path / 'new.pth')) is None
    assert damage_of(save(tmp_path / 'old.pth', _use_new_zipfile_serialization=False)) is None


@pytest.mark.parametrize(
    ('damage', 'words'),
    [
        (os.remove, 'does not exist'),
        (lambda path: path.write_bytes(b''), 'is empty'),
        (cut, 'is cut short'),
        (zero_a_page, 'is damaged'),
        (lambda path: path.write_bytes(b'hello world'), 'not a file of torch.save'),
        (lambda path: cut(save(path, _use_new_zipfile_serialization=False)), 'cannot be read'),
    ],
)
def test_damage_is_named(damage, words, tmp_path):
    path = save(tmp_path / 'epoch_1.pth')
    damage(path)
    assert words in damage_of(path)


def test_zeros_for_weights_are_nothing_that_torch_would_notice(tmp_path):
    """Which is why checksums are compared."""
    path = zero_a_page(save(tmp_path / 'epoch_1.pth'))
    assert not torch.equal(torch.load(path, weights_only=True)['state_dict']['weight'], torch.arange(1000.0))


@pytest.fixture
def work_dir(tmp_path):
    """A work directory after three epochs, in which a longer run has been before."""
    for epoch in (2, 1, 3, 10):
        save(tmp_path / f'epoch_{epoch}.pth')
    save(tmp_path / 'best_accuracy_epoch_2.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    return tmp_path


def test_the_one_on_record(work_dir):
    found = find_whole_checkpoint(work_dir)
    assert (found.path, found.on_record, found.damaged) == (work_dir / 'epoch_3.pth', True, [])


def test_the_one_before(work_dir):
    cut(work_dir / 'epoch_3.pth')
    (work_dir / 'epoch_2.pth').write_bytes(b'')
    found = find_whole_checkpoint(work_dir)
    assert found.path == work_dir / 'epoch_1.pth' and not found.on_record
    assert found.damaged == [f'{work_dir}/epoch_3.pth is cut short', f'{work_dir}/epoch_2.pth is empty']


def test_the_one_before_is_found_by_its_number(work_dir):
    """Not by its name, in which 9 comes after 10."""
    for epoch in (9, 11):
        save(work_dir / f'epoch_{epoch}.pth')
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_11.pth'))
    cut(work_dir / 'epoch_11.pth')
    assert find_whole_checkpoint(work_dir).path == work_dir / 'epoch_10.pth'
    cut(work_dir / 'epoch_10.pth')
    assert find_whole_checkpoint(work_dir).path == work_dir / 'epoch_9.pth'


def test_nothing_whole(work_dir):
    for path in work_dir.glob('epoch_[123].pth'):
        cut(path)
    found = find_whole_checkpoint(work_dir)
    assert found.path is None and len(found.damaged) == 3


@pytest.mark.parametrize('content', [None, ''])
def test_no_record(content, work_dir):
    """Killed between the first checkpoint and the record of it, or in the middle of writing the record."""
    record = work_dir / 'last_checkpoint'
    record.unlink()
    if content is not None:
        record.write_text(content)
    os.utime(work_dir / 'epoch_10.pth', (0, 0))
    os.utime(work_dir / 'epoch_2.pth', (2**31, 2**31))
    # Made of another metric than the run goes by, or no checkpoint to go on from.
    for name in ('best_accuracy_epoch_2.pth', 'bad_numbers.pth'):
        save(work_dir / name)
        os.utime(work_dir / name, (2**31 + 1, 2**31 + 1))
    assert find_whole_checkpoint(work_dir).path == work_dir / 'epoch_2.pth'
    assert find_whole_checkpoint(work_dir / 'none').path is None


def test_checkpoints_in_another_folder(work_dir, tmp_path_factory):
    """As ``out_dir`` of the hook says."""
    record = tmp_path_factory.mktemp('run')
    (record / 'last_checkpoint').write_text(str(cut(work_dir / 'epoch_3.pth')))
    assert find_whole_checkpoint(record).path == work_dir / 'epoch_2.pth'


def test_copied_work_directory(work_dir, tmp_path_factory):
    """The checkpoints of the original may meanwhile be those of another training."""
    copy = tmp_path_factory.mktemp('copies') / 'copy'
    shutil.copytree(work_dir, copy)
    found = find_whole_checkpoint(copy)
    assert found.path == copy / 'epoch_3.pth' and not found.on_record
    assert recorded_checkpoint(work_dir) == work_dir / 'epoch_3.pth'


def test_moved_work_directory(work_dir):
    (work_dir / 'last_checkpoint').write_text('/gone/epoch_3.pth')
    found = find_whole_checkpoint(work_dir)
    assert found.path == work_dir / 'epoch_3.pth' and not found.on_record
    (work_dir / 'last_checkpoint').write_text('/gone/epoch_4.pth')
    found = find_whole_checkpoint(work_dir)
    assert found.path == work_dir / 'epoch_3.pth' and found.damaged == ['/gone/epoch_4.pth does not exist']


def test_work_directory_of_another_system(work_dir, monkeypatch):
    """Where it is also another folder that has checkpoints in which the command was given."""
    (work_dir / 'elsewhere').mkdir()
    save(work_dir / 'elsewhere' / 'epoch_1.pth')
    monkeypatch.chdir(work_dir / 'elsewhere')
    (work_dir / 'last_checkpoint').write_text(r'C:\gone\run\epoch_3.pth')
    assert recorded_checkpoint(work_dir) == work_dir / 'epoch_3.pth'
    (work_dir / 'last_checkpoint').write_text(r'C:\gone\run\epoch_4.pth')
    assert find_whole_checkpoint(work_dir).path == work_dir / 'epoch_3.pth'
    # Here it is a name like any other.
    odd = save(work_dir / r'of\epoch_3.pth')
    (work_dir / 'last_checkpoint').write_text(str(odd))
    assert recorded_checkpoint(work_dir) == odd
