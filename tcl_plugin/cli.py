# SPDX-License-Identifier: Apache-2.0
"""What ``tools/train.py`` and ``tools/test.py`` share: arguments, config, device and the building of the runner."""

import argparse
import contextlib
import copy
import gc
import os
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from mmengine.config import Config, ConfigDict, DictAction
from mmengine.device import get_device
from mmengine.dist import is_distributed
from mmengine.registry import RUNNERS
from mmengine.runner import CheckpointLoader, Runner

from .checkpoints import archive_damage, find_whole_checkpoint
from .compat import unwrap_model
from .errors import UserError, explained
from .explain import (
    explain_arguments,
    explain_checkpoint,
    explain_config,
    explain_files,
    explain_full_disk,
    explain_loader,
    explain_optimizer,
    explain_own_validation,
    explain_registry,
    explain_samples,
    explain_validation,
    explain_weights,
)
from .explain_run import explain_image, explain_memory, explain_parts, explain_views
from .lost_process import start_on_cpu, telling_losses, timeout_of

BUILDING = (
    explain_registry,
    explain_arguments,
    explain_optimizer,
    explain_loader,
    explain_samples,
    explain_files,
    explain_validation,
)
RUNNING = (
    explain_registry,
    explain_arguments,
    explain_image,
    explain_views,
    explain_parts,
    explain_memory,
    explain_own_validation,
    explain_full_disk,
)

# How long a server that does not answer is waited for, where a data set has to be downloaded.
DOWNLOAD_SECONDS = 20

# What each launcher tells a process about its place in the run, numbers and others.
NUMBERS = {
    'pytorch': ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_PORT'),
    'slurm': ('SLURM_PROCID', 'SLURM_NTASKS'),
    'mpi': ('OMPI_COMM_WORLD_LOCAL_RANK', 'OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'),
}
TEXTS = {'pytorch': ('MASTER_ADDR',), 'slurm': ('SLURM_NODELIST',), 'mpi': ('MASTER_ADDR',)}


# Arguments


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, like every other error of the tools."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Args:
            message (str): What is wrong.

        Raises:
            UserError: Always.
        """
        raise UserError(f'{message} (see {self.prog} --help)')

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse the command line.

        Args:
            args (list[str] | None): The arguments. Defaults to None, for ``sys.argv``.
            namespace (argparse.Namespace | None): Where to put them. Defaults to None.

        Returns:
            argparse.Namespace: The values.

        Raises:
            UserError: If they are not understood.
        """
        try:
            parsed = super().parse_args(args, namespace)
        except ValueError:  # from DictAction, about a value without '='
            self.error('--cfg-options takes key=value pairs')
        if 'local_rank' in parsed:
            os.environ.setdefault('LOCAL_RANK', str(parsed.local_rank))
            # mmengine asks for it without a launcher, too.
            _number_from('LOCAL_RANK', 'the environment')
        return parsed


class OptionsAction(DictAction):
    """mmengine's ``KEY=VALUE``, which drops all spaces from values, but for those within a name or a path."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Parse the values.

        Args:
            parser (argparse.ArgumentParser): The parser.
            namespace (argparse.Namespace): Where to put them.
            values (list[str]): Each ``KEY=VALUE``.
            option_string (str | None): The flag. Defaults to None.
        """
        # Next to a bracket, a comma or a quote spaces say nothing. No argument can hold a zero of its own.
        within = re.compile(r'(?<=[^\s,=()\[\]\'"]) +(?=[^\s,()\[\]\'"])')
        kept = [within.sub(lambda found: '\0' * len(found[0]), value) for value in values]
        super().__call__(parser, namespace, kept, option_string)
        setattr(namespace, self.dest, _with_spaces(getattr(namespace, self.dest)))


def _with_spaces(value: Any) -> Any:
    """Put spaces in the place of zeros."""
    if isinstance(value, dict):
        return {key: _with_spaces(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_with_spaces, value))
    return value.replace('\0', ' ') if isinstance(value, str) else value


def number(least: float, most: float | None = None, kind: type[int] | type[float] = int) -> Callable[[str], float]:
    """Make a type for an argument that is a number in a range.

    Args:
        least (int | float): The least.
        most (int | float, optional): The most. Defaults to None, any.
        kind (type): ``int`` or ``float``. Defaults to ``int``.

    Returns:
        Callable: For ``type`` of ``add_argument``; its name is argparse's word for what is expected.
    """

    def read(text: str) -> float:
        value = kind(text)
        if not (value >= least and (most is None or value <= most)):  # NaN is neither
            raise ValueError(text)
        return value

    limits = f'>= {least}' if most is None else f'in {least}..{most}'
    read.__name__ = f'{"whole number" if kind is int else "number"} {limits}'
    return read


#: Type of an argument that is a seed, as numpy takes it.
SEED = number(0, 2**32 - 1)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``, which :func:`load_config` heeds.

    Args:
        parser (argparse.ArgumentParser): The parser.
    """
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=OptionsAction,
        metavar='KEY=VALUE',
        help='overrides of the config: train_cfg.max_epochs=2 data_preprocessor.mean="[0,0,0]" (no spaces in lists)',
    )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that training and testing have in common.

    Args:
        parser (argparse.ArgumentParser): The parser.
    """
    parser.add_argument('--work-dir', help='folder for logs and results; default: ./work_dirs/<name of the config>')
    add_config_options(parser)
    parser.add_argument('--no-pin-memory', action='store_true', help='do not let dataloaders pin memory')
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how the processes of a distributed run were started; pytorch (torchrun) works on CPU too',
    )
    # Older launchers pass the rank as an argument rather than as a variable.
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


# Config


def load_config(args: argparse.Namespace, *required: str, completes: bool = False) -> Config:
    """Read the config that was named on the command line and merge ``--cfg-options`` into it.

    Args:
        args (argparse.Namespace): The parsed arguments.
        *required (str): Top-level keys that the config must have.
        completes (bool): Whether the tool settles what a config with ``auto_setup`` leaves open. Defaults to False.

    Returns:
        Config: The config.

    Raises:
        UserError: If it cannot be read, or lacks a key.
    """
    path = Path(args.config)
    if not path.is_file():
        raise UserError(f'config {path} does not exist' if not path.exists() else f'config {path} is not a file')

    def explain(error: Exception) -> str | None:
        line = explain_config(error) or explain_files(error)
        return line if line is None or str(path) in line else f'config {path}: {line}'

    with explained(explain):
        cfg = Config.fromfile(path)
    merge_options(cfg, args)
    missing = [key for key in required if cfg.get(key) is None]
    if missing:
        raise UserError(f'config {path} has no {", ".join(missing)}')
    if cfg.get('auto_setup') and not completes:
        raise UserError(
            f'config {path} leaves values open (auto_setup), which tools/train.py settles: name the config that it '
            f'writes into the work directory, such as {os.path.join("work_dirs", path.stem, path.name)}'
        )
    return cfg


def merge_options(cfg: Config, args: argparse.Namespace) -> None:
    """Merge ``--cfg-options`` into a config.

    The tools do so twice: before anything is derived from the config, and again after the other flags, over which the
    options have the last word, as in mmpretrain.

    Args:
        cfg (Config): The config, changed in place.
        args (argparse.Namespace): The parsed arguments.

    Raises:
        UserError: If an option does not fit the config.
    """
    if args.cfg_options is None:
        return
    try:
        cfg.merge_from_dict(copy.deepcopy(args.cfg_options))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise UserError(f'--cfg-options does not fit config {args.config}: {error}') from error


def set_work_dir(cfg: Config, args: argparse.Namespace) -> None:
    """Choose the work directory: the flag, the config's own, or one named after the config.

    Args:
        cfg (Config): The config, changed in place.
        args (argparse.Namespace): The parsed arguments.
    """
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = os.path.join('.', 'work_dirs', Path(args.config).stem)


def set_dataloaders(cfg: Config, *names: str, pin_memory: bool = True, persistent_workers: bool = True) -> None:
    """Give dataloaders the defaults of mmpretrain's tools.

    Args:
        cfg (Config): The config, changed in place.
        *names (str): Keys of the dataloaders; missing ones are passed over.
        pin_memory (bool): False turns pinned memory off. Defaults to True.
        persistent_workers (bool): False turns persistent workers off. Defaults to True.
    """
    for name in names:
        if cfg.get(name) is None:
            continue
        loader = ConfigDict(pin_memory=True, persistent_workers=True, collate_fn=dict(type='default_collate'))
        loader.update(cfg[name])
        loader.pin_memory = loader.pin_memory and pin_memory
        loader.persistent_workers = loader.persistent_workers and persistent_workers
        cfg[name] = loader


def check_checkpoint(path: str | None) -> None:
    """Refuse a checkpoint that is not there, or not whole, before anything is built or written.

    Args:
        path (str | None): A path; an address such as ``https://...`` or ``torchvision://...`` is not looked up.

    Raises:
        UserError: If it is a local path without a whole file.
    """
    if not path or '://' in path:
        return
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f'checkpoint {path} does not exist')
    with explained(explain_files):
        damage = archive_damage(file)
    if damage:
        raise UserError(f'checkpoint {path} {damage}: name another one')


def resume_from_work_dir(cfg: Config) -> list[str]:
    """Let a run go on from the last whole checkpoint in its work directory, or begin where there is none.

    Args:
        cfg (Config): The config, changed in place.

    Returns:
        list[str]: Warnings for the log.

    Raises:
        UserError: If there are checkpoints, but none is whole.
    """
    found = find_whole_checkpoint(cfg.work_dir)
    if found.path is None and found.damaged:
        raise UserError(
            f'{cfg.work_dir} has no whole checkpoint to go on from: {"; ".join(found.damaged)}; name another one, '
            '--resume PATH, or leave --resume out to begin anew'
        )
    cfg.resume = found.path is not None
    if not cfg.resume:
        # What the config loads weights from, if anything, is where the run begins.
        return [f'nothing to resume in {cfg.work_dir}: training begins with the first epoch']
    cfg.load_from = None if found.on_record else str(found.path)
    return [f'checkpoint {line}: going on from {found.path}' for line in found.damaged]


def fetch_weights(cfg: Config) -> None:
    """Load once the weights that a network starts from, which mmengine does in the middle of ``train()``.

    What is downloaded lies in torch's cache afterwards.

    Args:
        cfg (Config): The config.

    Raises:
        UserError: If there are none. It says by which option others, or none, are named.
    """
    with _impatience():
        _fetch_weights(cfg.model, 'model')


def _fetch_weights(part: dict, key: str) -> None:
    """Do so for a part of the model; ``key`` is where it stands in the config."""
    if str(part.get('type')) == 'Pretrained' and part.get('checkpoint'):
        with explained(explain_weights(key), explain_checkpoint):
            CheckpointLoader.load_checkpoint(part['checkpoint'], map_location='cpu', logger='silent')
    for name, inner in part.items():
        if isinstance(inner, dict):
            _fetch_weights(inner, f'{key}.{name}')


# Device and processes


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
    values = {name: _number_from(name, f'--launcher {launcher}') for name in NUMBERS[launcher]}
    if launcher == 'pytorch':
        if values['RANK'] >= values['WORLD_SIZE']:
            raise UserError(
                f'--launcher pytorch: RANK={values["RANK"]}, but WORLD_SIZE={values["WORLD_SIZE"]}: '
                'ranks are 0 to WORLD_SIZE - 1'
            )
        if values['MASTER_PORT'] > 65535:
            raise UserError(f'--launcher pytorch: MASTER_PORT={values["MASTER_PORT"]} is no port, 0 to 65535')


def _number_from(name: str, where: str) -> int:
    """Read a whole number from the environment."""
    text = os.environ[name]
    if not (text.isascii() and text.isdecimal()):
        raise UserError(f'{where}: {name}={text!r} is no whole number')
    return int(text)


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


# Runner


def build_runner(cfg: Config, notes: Sequence[str] = (), warnings: Sequence[str] = ()) -> Runner:
    """Build the runner, and with it model and hooks.

    Args:
        cfg (Config): The finished config.
        notes (Sequence[str]): Lines for the log.
        warnings (Sequence[str]): Lines for the log that nobody should miss.

    Returns:
        Runner: The runner. It explains a checkpoint that does not load.

    Raises:
        UserError: If the config names what does not exist or does not fit.
    """
    with explained(*BUILDING):
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    for note in notes:
        runner.logger.info(note)
    for warning in warnings:
        runner.logger.warning(warning)
    _explain_loading(runner)
    return runner


def _explain_loading(runner: Runner) -> None:
    """Let a checkpoint that does not load be told in one line, in the middle of ``train()`` or ``test()``."""
    load_or_resume, load_checkpoint = runner.load_or_resume, runner.load_checkpoint

    def name(filename: str, *args: Any, **kwargs: Any) -> dict:
        def prefixed(error: Exception) -> str | None:
            line = explain_files(error) or explain_checkpoint(error)
            return f'checkpoint {filename}: {line}' if line else None

        with explained(prefixed):
            return load_checkpoint(filename, *args, **kwargs)

    def load(*args: Any, **kwargs: Any) -> None:
        with explained(explain_checkpoint):
            return load_or_resume(*args, **kwargs)

    runner.load_checkpoint, runner.load_or_resume = name, load


def build_parts(runner: Runner, *names: str) -> None:
    """Build what a runner leaves for later, data sets above all.

    Done apart from the run, so that an error in the config is told apart from a bug.

    Args:
        runner (Runner): The runner.
        *names (str): Its loops: ``train_loop``, ``val_loop``, ``test_loop``.

    Raises:
        UserError: If a data set is missing, or the config does not fit.
    """
    with explained(*BUILDING), _impatience():
        for name in names:
            getattr(runner, name)
        if 'train_loop' in names:
            runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
            _check_length(runner.train_loop)
        for name in names:
            _check_classes(runner, name)


def _check_length(loop: Any) -> None:
    """Refuse a training without a step, which mmengine would finish without a word."""
    epochs = getattr(loop, 'max_epochs', None)
    if epochs is not None and epochs < 1:
        raise UserError(f'train_cfg.max_epochs={epochs} leaves nothing to train: it must be 1 or more')
    loader = loop.dataloader
    if hasattr(loader, '__len__') and not len(loader):
        raise UserError(
            f'train_dataloader has no batch: {len(loader.dataset)} samples, batch_size={loader.batch_size}, '
            f'drop_last={loader.drop_last}'
        )


def _check_classes(runner: Runner, name: str) -> None:
    """Refuse labels that the head has no class for: on a GPU they would end the run without a reason."""
    loop = getattr(runner, name)
    number = getattr(getattr(unwrap_model(runner.model), 'head', None), 'num_classes', None)
    dataset = getattr(getattr(loop, 'dataloader', None), 'dataset', None)
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    if number and classes and len(classes) > number:
        raise UserError(
            f'the head predicts {number} classes, but the data set of {name.removesuffix("_loop")}_dataloader has '
            f'{len(classes)}: set model.head.num_classes={len(classes)}'
        )


@contextlib.contextmanager
def _impatience() -> Iterator[None]:
    """Give up on a server that does not answer: by default Python waits as long as the system does, or for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def running() -> contextlib.AbstractContextManager[None]:
    """Explain what this package refuses during a run; anything else is a bug and keeps its traceback.

    Returns:
        contextlib.AbstractContextManager: The context of a run.
    """
    return explained(*RUNNING)
