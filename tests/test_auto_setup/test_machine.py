# SPDX-License-Identifier: Apache-2.0
"""What a process may take of the machine."""

import os
from pathlib import Path

import pytest
import torch

from tcl_plugin.auto_setup import machine

CPU = torch.device('cpu')


@pytest.mark.parametrize(
    ('launcher', 'env', 'first', 'number'),
    [
        ('none', dict(RANK='1', WORLD_SIZE='2'), True, 1),
        ('pytorch', dict(RANK='0', WORLD_SIZE='2'), True, 2),
        ('pytorch', dict(RANK='1', WORLD_SIZE='2'), False, 2),
        ('slurm', dict(SLURM_PROCID='3', SLURM_NTASKS='8'), False, 8),
        ('mpi', dict(OMPI_COMM_WORLD_LOCAL_RANK='0', OMPI_COMM_WORLD_SIZE='4'), True, 4),
        ('pytorch', {}, True, 1),
    ],
)
def test_place_in_a_run(monkeypatch, launcher, env, first, number):
    for name in (*machine.RANK_VARIABLES.values(), *machine.SIZE_VARIABLES.values()):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert (machine.is_first_process(launcher), machine.num_processes(launcher)) == (first, number)


def test_processes_share_cores(monkeypatch):
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(7)), raising=False)
    monkeypatch.delenv('LOCAL_WORLD_SIZE', raising=False)
    assert machine.usable_cores() == 7
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '2')
    assert machine.usable_cores() == 3
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '16')
    assert machine.usable_cores() == 1


def test_memory_is_what_is_free_and_allowed(monkeypatch, tmp_path):
    monkeypatch.delenv('LOCAL_WORLD_SIZE', raising=False)
    monkeypatch.setattr(machine, 'CGROUP_LIMITS', ())
    free = machine.free_memory(CPU)
    assert 2**24 < free <= os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    (tmp_path / 'unlimited').write_text('max\n')
    (tmp_path / 'limit').write_text('1000000\n')
    limits = tuple(str(tmp_path / name) for name in ('gone', 'unlimited', 'limit'))
    monkeypatch.setattr(machine, 'CGROUP_LIMITS', limits)
    assert machine.free_memory(CPU) == 10**6
    monkeypatch.setenv('LOCAL_WORLD_SIZE', '4')
    assert machine.free_memory(CPU) == 250_000


@pytest.mark.parametrize('windows', [False, True])
def test_memory_where_there_is_no_proc(monkeypatch, windows):
    """macOS says how much there is, and Windows nothing, to Python's own library."""
    monkeypatch.delenv('LOCAL_WORLD_SIZE', raising=False)
    monkeypatch.setattr(machine, 'CGROUP_LIMITS', ())
    half = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 2
    monkeypatch.setattr(machine, 'Path', lambda name: Path('/gone' + name))
    if windows:
        monkeypatch.delattr(os, 'sysconf')
    assert machine.free_memory(CPU) == (None if windows else half)
