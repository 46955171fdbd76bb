# SPDX-License-Identifier: Apache-2.0
"""Checkpoints load without running what is in them, under every release."""

import builtins
import contextlib
import os
import pathlib
import pickle
import zipfile

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.runner import load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader
from torch import nn

from tcl_plugin import compat


def load(path):
    return CheckpointLoader.load_checkpoint(str(path), map_location='cpu')


def test_history_comes_back(tmp_path):
    path = tmp_path / 'history.pth'
    history = HistoryBuffer([1.0, 2.0], [1, 1])
    torch.save({'history': history, 'best': np.float32(0.5), 'epoch': np.int64(3)}, path)
    loaded = load(path)
    assert loaded['history'].mean() == 1.5 and loaded['history'].statistics('max') == 2.0
    assert (loaded['best'], loaded['epoch']) == (0.5, 3)


class Payload:
    """Runs a function when it is unpickled."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def test_code_in_a_checkpoint_does_not_run(tmp_path):
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    torch.save({'state_dict': {}, 'extra': Payload(pathlib.Path.touch, trace)}, path)
    with pytest.raises(pickle.UnpicklingError):
        load_checkpoint(nn.Linear(2, 2), str(path))
    assert not trace.exists()


def test_loaders_that_ask_for_code_do_not_get_it(tmp_path, monkeypatch):
    """As the OneDL fork does where safe loading fails, and torch before 2.6 unless asked."""
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    torch.save({'extra': Payload(pathlib.Path.touch, trace)}, path)
    monkeypatch.delenv(compat.FORCE_UNSAFE, raising=False)
    trusting = compat._guarded(lambda filename: torch.load(filename, weights_only=False))
    with pytest.raises(pickle.UnpicklingError):
        trusting(str(path))
    assert not trace.exists()
    assert all(loader.guarded for loader in CheckpointLoader._schemes.values())


def test_compressed_checkpoints_are_refused_wherever_they_are_loaded(tmp_path):
    torch.save({'state_dict': {'a': torch.zeros(10_000)}}, tmp_path / 'whole.pth')
    with zipfile.ZipFile(tmp_path / 'whole.pth') as old, zipfile.ZipFile(tmp_path / 'bomb.pth', 'w', 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with pytest.raises(ValueError, match='would unpack to'):
        load(tmp_path / 'bomb.pth')


@pytest.mark.parametrize('array', [np.array([{}], dtype=object), np.array(['text']), np.array([b'bytes'])])
def test_arrays_in_checkpoints_hold_numbers(array, tmp_path):
    torch.save({'a': array}, tmp_path / 'k.pth')
    with pytest.raises(pickle.UnpicklingError):
        load(tmp_path / 'k.pth')


def test_torchscript_in_the_place_of_a_checkpoint_does_not_run(tmp_path, monkeypatch):
    """torch before 2.6 hands such a file to torch.jit.load, weights_only=True or not."""
    path, loaded = tmp_path / 'script.pth', []
    torch.jit.script(nn.Identity()).save(str(path))
    monkeypatch.setattr(torch.jit, 'load', lambda *args, **kwargs: loaded.append(args))
    with pytest.raises(RuntimeError, match='TorchScript'):
        load(path)
    assert not loaded


def test_stand_in_for_getattr_only_knows_histories():
    assert compat._history_method(HistoryBuffer, 'mean') is HistoryBuffer.mean
    for owner, name in (
        (builtins, 'exec'),
        (HistoryBuffer, '__init__'),
        (HistoryBuffer, 'nonesuch'),
        (getattr, '__self__'),
    ):
        with pytest.raises(pickle.UnpicklingError):
            compat._history_method(owner, name)


def test_environment_is_left_as_it_was(tmp_path, monkeypatch):
    torch.save({'state_dict': {}}, tmp_path / 'k.pth')
    monkeypatch.delenv(compat.FORCE_SAFE, raising=False)
    load(tmp_path / 'k.pth')
    assert compat.FORCE_SAFE not in os.environ
    with pytest.raises(FileNotFoundError):
        load(tmp_path / 'gone.pth')
    assert compat.FORCE_SAFE not in os.environ


@pytest.mark.parametrize(('choice', 'trusts'), [('1', True), ('yes', True), ('0', False), ('', False)])
def test_a_person_may_choose_to_trust(choice, trusts, tmp_path, monkeypatch):
    trace = tmp_path / 'trace'
    torch.save({'extra': Payload(pathlib.Path.touch, trace)}, tmp_path / 'k.pth')
    monkeypatch.delenv(compat.FORCE_SAFE, raising=False)
    monkeypatch.setenv(compat.FORCE_UNSAFE, choice)
    with contextlib.nullcontext() if trusts else pytest.raises(pickle.UnpicklingError):
        load(tmp_path / 'k.pth')
    assert trace.exists() is trusts
    assert compat.FORCE_SAFE not in os.environ


@pytest.mark.parametrize(
    ('device', 'capability', 'flags', 'expected'),
    [
        ('cuda', (7, 5), '', False),
        ('cuda', (8, 0), '', True),
        ('cpu', None, 'flags : avx2 avx512f', False),
        ('cpu', None, 'flags : avx2 avx512_bf16', True),
        ('mps', None, 'Features : bf16', False),
    ],
)
def test_who_calculates_in_bfloat16(device, capability, flags, expected, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: capability)
    monkeypatch.setattr(pathlib.Path, 'exists', lambda path: True)
    monkeypatch.setattr(pathlib.Path, 'read_text', lambda path: flags)
    assert compat.has_bfloat16(torch.device(device)) is expected


def test_guarding_twice_changes_nothing():
    before = dict(CheckpointLoader._schemes)
    compat.make_checkpoints_safe()
    assert dict(CheckpointLoader._schemes) == before


def test_unwrap_model():
    model = nn.Linear(2, 2)
    assert compat.unwrap_model(model) is model
    assert compat.unwrap_model(nn.DataParallel(model)) is model


def test_float64():
    """Apple's GPUs lack it; a device can be named without being there."""
    assert not compat.has_float64(torch.device('mps'))
    assert compat.has_float64(torch.device('cpu')) and compat.has_float64(torch.device('cuda'))
