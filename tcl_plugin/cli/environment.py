# SPDX-License-Identifier: Apache-2.0
"""The machine that a run is on, and the processes that it consists of."""

import contextlib
import gc
import os
from collections.abc import Iterator

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import is_distributed

from ..errors import UserError
from ..lost_process import start_on_cpu, telling_losses, timeout_of

# What each launcher tells a process about its place in the run, numbers and others.
NUMBERS = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_PORT'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS'),
    'mpi': ('OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'),
}
TEXTS = {'pytorch': ('MASTER_ADDR',), 'slurm': ('SLURM_NODELIST',), 'mpi': ('MASTER_ADDR',)}

# Below those that the system gives to connections by itself.
PORTS = range(15000, 30000)


def fit_loaders(cfg: Config) -> None:
    """Take out of the dataloaders what torch warns of or refuses; doing so again changes nothing.

    Args:
        cfg (Config): The config, changed in place.
    """
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        if cfg.get(name) is not None:
            cfg[name].pin_memory = bool(cfg[name].get('pin_memory')) and torch.cuda.is_available()
            if not cfg[name].get('num_workers'):
                cfg[name].persistent_workers = False


def fit_to_device(cfg: Config) -> list[str]:
    """Take out of a config what the machine at hand cannot do.

    torch warns of pinned memory without CUDA and refuses persistent workers where there are no workers. Without an
    accelerator there is neither NCCL nor SyncBN, and DDP must not be given device numbers.

    Args:
        cfg (Config): The config, changed in place.

    Returns:
        list[str]: A line for the log about each thing that a person would want to know.
    """
    fit_loaders(cfg)
    if cfg.launcher == 'none' or not on_cpu():
        return []
    cfg.setdefault('env_cfg', {}).setdefault('dist_cfg', {})['backend'] = 'gloo'
    wrapper = cfg.get('model_wrapper_cfg') or dict(
        broadcast_buffers=False, find_unused_parameters=cfg.get('find_unused_parameters', False)
    )
    cfg.model_wrapper_cfg = dict(device_ids=None, **wrapper)
    notes = ['no accelerator: the processes talk over gloo']
    if cfg.get('sync_bn') is not None:
        cfg.sync_bn = None
        notes.append('no accelerator: sync_bn is switched off, each process normalises by its own batch')
    return notes


def on_cpu() -> bool:
    """Tell whether distributed runs have to do without an accelerator.

    Returns:
        bool: True on plain CPU, and on Apple's GPUs, which know no process groups.
    """
    return get_device() in {'cpu', 'mps'}


def check_environment(launcher: str) -> None:
    """Refuse to begin a distributed run without knowing this process's place in it.

    torch would wait half an hour for others that never come.

    Args:
        launcher (str): The launcher; ``'none'`` needs nothing.

    Raises:
        UserError: If a variable that it sets is missing or no number, or there is no such place.
    """
    if launcher == 'none':
        return
    missing = [name for name in (*NUMBERS[launcher], *TEXTS[launcher]) if not os.environ.get(name)]
    if missing:
        raise UserError(
            f'--launcher {launcher}: this process was not started by it ({missing[0]} is not set); '
            f'use tools/{"slurm" if launcher == "slurm" else "dist"}_*.sh, or leave --launcher out'
        )
    values = {name: number_from(name, f'--launcher {launcher}') for name in NUMBERS[launcher]}
    if launcher == 'pytorch':
        if values['RANK'] >= values['WORLD_SIZE']:
            raise UserError(
                f'--launcher pytorch: RANK={values["RANK"]}, but WORLD_SIZE={values["WORLD_SIZE"]}: '
                'ranks are 0 to WORLD_SIZE - 1'
            )
        if values['MASTER_PORT'] > 65535:
            raise UserError(f'--launcher pytorch: MASTER_PORT={values["MASTER_PORT"]} is no port, 0 to 65535')


def number_from(name: str, where: str) -> int:
    """Read a whole number from the environment.

    Args:
        name (str): The variable.
        where (str): Who asks, for the message.

    Returns:
        int: Its value.

    Raises:
        UserError: If it is none, or negative.
    """
    text = os.environ[name]
    if not (text.isascii() and text.isdecimal()):
        raise UserError(f'{where}: {name}={text!r} is no whole number')
    return int(text)


def _choose_port(launcher: str) -> None:
    """Let each job of Slurm meet at a port of its own: several may share a machine, and mmengine knows one port.

    All processes of a job step come to the same.
    """
    job, step = (os.environ.get(name, '') for name in ('SLURM_JOB_ID', 'SLURM_STEP_ID'))
    if launcher == 'slurm' and job.isdecimal() and not os.environ.get('MASTER_PORT'):
        # Jobs that follow one another have room for some steps each.
        number = 31 * int(job) + (int(step) if step.isdecimal() else 0)
        os.environ['MASTER_PORT'] = str(PORTS[number % len(PORTS)])


@contextlib.contextmanager
def process_group(cfg: Config) -> Iterator[None]:
    """Hold the process group of a distributed run. The block must keep no reference to the runner.

    mmengine makes the group itself, but asks for a CUDA device first; on a CPU it is made here, and mmengine uses it.
    How long processes wait for one another is ``env_cfg.dist_cfg.timeout`` in either case.

    Args:
        cfg (Config): The config.

    Yields:
        None: Nothing.

    Raises:
        UserError: If the launcher named on the command line did not start this process, the timeout is no time, or
            another process is lost.
    """
    launcher = cfg.launcher
    check_environment(launcher)
    _choose_port(launcher)
    timeout_of(cfg)
    if launcher != 'none' and on_cpu():
        if launcher != 'pytorch':
            raise UserError(f'--launcher {launcher} needs a GPU; on CPU use tools/dist_train.sh (--launcher pytorch)')
        start_on_cpu(cfg)
    with telling_losses():
        yield
    # Not after an exception: other processes may not come, and the group would wait for them.
    if is_distributed():
        # DDP holds the group too, and the runner, full of cycles, holds DDP. Threads of a group that outlives this
        # line may drop a tensor while the interpreter shuts down, which aborts the process now and then.
        gc.collect()
        torch.distributed.destroy_process_group()
