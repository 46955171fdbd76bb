# SPDX-License-Identifier: Apache-2.0
"""From the command line to the config of a run."""

import argparse
import copy
import inspect
import json
import os
from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner

from ..auto_setup.own_values import HOMES
from ..auto_setup.placeholders import dotted, is_open
from ..checkpoints import archive_damage, find_whole_checkpoint, recorded_checkpoint
from ..config_parts import dicts_in
from ..errors import UserError, did_you_mean, explained
from ..explain import explain_config, explain_files
from ..foreign_config import admit_config
from ..moved_lists import find_moved_lists

#: What is read at the top of a config: by mmengine's runners, and by the tools.
READ = {
    *(inspect.signature(Runner.__init__).parameters.keys() - {'self', 'cfg'}),
    *('custom_imports', 'runner_type', 'strategy', 'sync_bn', 'model_wrapper_cfg', 'find_unused_parameters'),
    *('activation_checkpointing', 'efficient_conv_bn_eval', 'compile', 'init_weights_for_test_or_val'),
    *('auto_setup', 'tta_model', 'tta_pipeline'),
}
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


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
    merge_options(cfg, args, [name for name in LOADERS if name in required] or LOADERS)
    find_moved_lists([cfg[key] for key in cfg], path.parent)
    _refuse_settled(cfg, args)
    missing = [key for key in required if cfg.get(key) is None]
    if missing:
        raise UserError(f'config {path} has no {", ".join(missing)}')
    if cfg.get('auto_setup') and not completes:
        raise UserError(
            f'config {path} leaves values open (auto_setup), which tools/train.py settles: name the config that it '
            f'writes into the work directory, such as {os.path.join("work_dirs", path.stem, path.name)}'
        )
    return cfg


def _refuse_settled(cfg: Config, args: argparse.Namespace) -> None:
    """Refuse values at the top of a config that a training has completed, where they have no say any more."""
    if 'auto_setup' not in cfg or cfg.auto_setup is not None:
        return
    named = [key for key in HOMES.values() if '.' not in key and key in (args.cfg_options or {})]
    if named:
        raise UserError(
            f'{named[0]}=... would change nothing: config {args.config} is that of a run, and has it in data sets and '
            'transforms already. Name the config that the run began with, such as configs/tcl_r50_folder.py (with '
            '--resume to go on), or change each place where it stands'
        )


def merge_options(cfg: Config, args: argparse.Namespace, loaders: Sequence[str] = LOADERS) -> None:
    """Merge ``--cfg-options`` into a config.

    The tools do so twice: before anything is derived from the config, and again after the other flags, over which the
    options have the last word, as in mmpretrain.

    Args:
        cfg (Config): The config, changed in place.
        args (argparse.Namespace): The parsed arguments.
        loaders (Sequence[str]): Those that the tool is about, at least one of which is to follow ``data_root``.
            Defaults to all.

    Raises:
        UserError: If an option does not fit the config, or nothing would read it.
    """
    if args.cfg_options is None:
        return
    told = {key.split('.')[0] for key in args.cfg_options} - READ
    if 'auto_setup' in cfg:
        told -= {key for key in HOMES.values() if '.' not in key}
    if 'data_root' in told and _move_data_root(cfg, args.cfg_options, loaders):
        told.remove('data_root')
    for name in sorted(told):
        _refuse_unread(cfg, name, args.config)
    try:
        cfg.merge_from_dict(copy.deepcopy(args.cfg_options))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise UserError(f'--cfg-options does not fit config {args.config}: {error}') from error


def _move_data_root(cfg: Config, options: dict, loaders: Sequence[str]) -> bool:
    """Let the data sets that lie where ``data_root`` of the config says follow it; tell whether some loader has one.

    In most configs it is a variable of the file: what has been made of it stands in each data set.
    """
    before, now = cfg.get('data_root'), options.get('data_root')
    if not isinstance(before, str) or is_open(before) or not isinstance(now, str):
        return False
    found = [(name, part) for name in LOADERS for _, part in dicts_in(cfg.get(name))]
    found = [(name, part) for name, part in found if part.get('data_root') == before]
    for _, part in found:
        part['data_root'] = now
    return any(name in loaders for name, _ in found)


def _refuse_unread(cfg: Config, name: str, config: str) -> None:
    """Refuse a key at the top of a config that nothing reads, so that setting it would change nothing."""
    own_code = not _is_known_code(cfg)
    if name in cfg and own_code:
        return  # a person's own hook may
    if name in cfg:
        raise UserError(
            f'--cfg-options {name} would change nothing: it is a variable of config {config}; change the places that '
            'the file has put it into'
        )
    read = {key: cfg[key] for key in sorted(READ & set(cfg))}
    places = [dotted((*path, name)) for path, part in dicts_in(read) if name in part]
    remedy = f'; did you mean {places[0]}?' if places else did_you_mean(name, sorted({*READ, *cfg}))
    if own_code and not remedy:
        return  # nor does it look like a mistake
    raise UserError(f'--cfg-options {name}: config {config} has no {name}, and nothing would read it{remedy}')


def _is_known_code(cfg: Config) -> bool:
    """Whether a config names no code but that of this package and OpenMMLab's, which read nothing but :data:`READ`."""
    try:
        # Classes that a config has imported become texts that are no names of registered ones.
        admit_config(json.loads(json.dumps(cfg.to_dict(), default=str)), '', '')
    except (ValueError, TypeError, ImportError):
        return False
    return True


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


def doubt_learning_rate(cfg: Config) -> list[str]:
    """Tell of a learning rate that is scaled by less than what a step of the optimizer sees.

    mmengine scales it by one batch of all processes, however many of them a step gathers.

    Args:
        cfg (Config): The finished config.

    Returns:
        list[str]: A line for the log; none where gradients are not accumulated, or the learning rate is not scaled.
    """
    told, counts = cfg.get('auto_scale_lr') or {}, cfg.optim_wrapper.get('accumulative_counts') or 1
    if counts <= 1 or not told.get('enable') or not told.get('base_batch_size'):
        return []
    base = told['base_batch_size']
    return [
        f'auto_scale_lr goes by one batch of all processes, and a step gathers {counts} of them '
        '(optim_wrapper.accumulative_counts): for a learning rate that goes by the images of a step, set '
        f'auto_scale_lr.base_batch_size={base / counts:g}, unless {base:g} has been divided by {counts} already'
    ]


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
    if file.is_dir():
        last = recorded_checkpoint(file)
        raise UserError(f'checkpoint {path} is a folder: name a file in it{f", such as {last}" if last else ""}')
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
