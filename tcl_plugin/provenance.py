# SPDX-License-Identifier: Apache-2.0
"""Which code and which hardware a figure comes from."""

import platform
import subprocess
from pathlib import Path

import torch


def commit_of(file: Path) -> str | None:
    """Find out which commit a file of a checkout is at.

    Args:
        file (Path): The file.

    Returns:
        str, optional: The commit, followed by ``-dirty`` where tracked files of the checkout differ
        from it; None for a file that git does not track, or without git.
    """

    def git(*arguments: str) -> str:
        command = ['git', '-C', str(file.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.strip()

    try:
        # An installed package may lie within somebody else's checkout, whose commit says nothing of it.
        git('ls-files', '--error-unmatch', file.name)
        dirty = '-dirty' if git('status', '--porcelain', '--untracked-files=no') else ''
        return git('rev-parse', 'HEAD') + dirty
    except (OSError, subprocess.SubprocessError):
        return None


def device_name(device: torch.device) -> str:
    """Name the hardware.

    Args:
        device (torch.device): Where the network is.

    Returns:
        str: What people call the GPU, or the CPU, with the number of threads that torch uses; of others the type.
    """
    if device.type == 'cuda':
        return torch.cuda.get_device_name(device)
    if device.type != 'cpu':
        return device.type
    cpuinfo = Path('/proc/cpuinfo')
    names = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    found = [line.split(':')[1].strip() for line in names if line.startswith('model name')]
    # Linux has no name for ARM processors, nor has Python there.
    name = found[0] if found else platform.processor() or platform.machine()
    threads = torch.get_num_threads()
    return f'{name}, {threads} thread{"s" if threads > 1 else ""}'
