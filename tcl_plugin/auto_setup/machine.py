# SPDX-License-Identifier: Apache-2.0
"""What a training has: processes, and the machine's share of each."""

import os
from pathlib import Path

import torch

from ..errors import RANK_VARIABLES

SIZE_VARIABLES = {'pytorch': 'WORLD_SIZE', 'slurm': 'SLURM_NTASKS', 'mpi': 'OMPI_COMM_WORLD_SIZE'}
# What containers are allowed: https://docs.kernel.org/admin-guide/cgroup-v2.html, and version 1 before it.
CGROUP_LIMITS = ('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes')


def is_first_process(launcher: str) -> bool:
    """Tell whether this is the first process of a run, which may not have formed a group yet.

    Args:
        launcher (str): ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.

    Returns:
        bool: True if so.
    """
    return launcher == 'none' or int(os.environ.get(RANK_VARIABLES[launcher], 0)) == 0


def num_processes(launcher: str) -> int:
    """Count the processes of a run, which may not have formed a group yet.

    Args:
        launcher (str): See :func:`is_first_process`.

    Returns:
        int: Their number.
    """
    return 1 if launcher == 'none' else int(os.environ.get(SIZE_VARIABLES[launcher], 1))


def usable_cores() -> int:
    """Count the CPU cores for this process; processes that torchrun has started here share them.

    Returns:
        int: 1 or more.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get('LOCAL_WORLD_SIZE', 1)))


def free_memory(device: torch.device) -> int | None:
    """Find out how much memory this process may take.

    Args:
        device (torch.device): Where the network is.

    Returns:
        int, optional: Bytes that are free on the GPU; otherwise this process's share of what is free, and allowed, on
        the host. None on Windows, whose Python does not say.
    """
    if device.type == 'cuda':
        return torch.cuda.mem_get_info(device)[0]
    limits = [_number(Path(name)) for name in CGROUP_LIMITS]
    known = [size for size in (_free_on_host(), *limits) if size is not None]
    return min(known) // int(os.environ.get('LOCAL_WORLD_SIZE', 1)) if known else None


def _free_on_host() -> int | None:
    meminfo = Path('/proc/meminfo')
    if meminfo.exists():
        fields = dict(line.split(':', 1) for line in meminfo.read_text().splitlines())
        return int(fields['MemAvailable'].split()[0]) * 1024
    if not hasattr(os, 'sysconf'):  # Windows
        return None
    # macOS says no more than how much there is.
    return os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') // 2


def _number(path: Path) -> int | None:
    """The number in a file; None where there is no file, or ``max`` in it."""
    text = path.read_text().strip() if path.is_file() else ''
    return int(text) if text.isdecimal() else None
