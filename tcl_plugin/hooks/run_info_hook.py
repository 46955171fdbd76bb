# SPDX-License-Identifier: Apache-2.0
"""The hook that writes down how a run was made."""

import json
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import mmengine
import mmpretrain
import torch
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpretrain.registry import HOOKS
from torch import nn

from ..atomic import write_text
from ..compat import has_bfloat16, unwrap_model
from ..datasets.label_source import LabelSource
from ..provenance import commit_of, device_name
from ..safe_files import read_json
from ..version import __version__

FILE_NAME = 'run.json'


@HOOKS.register_module()
class RunInfoHook(Hook):
    """Write down how a run was made, for tables that can be believed.

    ``run.json``, beside the log of the run, holds the command, the commit of this package with
    ``-dirty`` where tracked files differ from it, versions, device, with ``bfloat16`` where the model calculates in
    it, number of processes, the time at
    which training began, and, once it has ended, the seconds that it took, and ``stopped_early``
    where mmengine's ``EarlyStoppingHook`` has ended it before its last epoch. Where the labels are from a file, and
    what lies beside it says by which noise they were made, ``labels_made`` says so, too. A resumed run leaves
    one file for each piece, numbered, as the clocks of machines may differ.
    :func:`tcl_plugin.reports.read_run` reads them.
    """

    priority = 'VERY_LOW'

    def before_train(self, runner: Runner) -> None:
        """Write what is known at the beginning."""
        self._start = time.monotonic()
        if not isinstance(runner.train_loop, IterBasedTrainLoop) and runner.epoch >= runner.max_epochs:
            runner.logger.warning(
                f'nothing is left to train: the checkpoint has all {runner.max_epochs} epochs of train_cfg.max_epochs'
            )
        if is_main_process():
            self._info = dict(
                command=_command(),
                config=Path(runner.cfg.filename).stem if runner.cfg.filename else None,
                commit=commit_of(Path(__file__)),
                tcl_plugin=__version__,
                torch=torch.__version__,
                mmengine=mmengine.__version__,
                mmpretrain=mmpretrain.__version__,
                device=_device_of(unwrap_model(runner.model)),
                processes=get_world_size(),
                piece=1 + max(map(_number_of, Path(runner.work_dir).glob(f'*/{FILE_NAME}')), default=0),
                began=time.strftime('%Y-%m-%dT%H:%M:%S%z'),
                first_epoch=runner.epoch + 1,
                seconds=None,
            )
            source = getattr(runner.train_dataloader.dataset, 'source', None)
            if isinstance(source, LabelSource) and source.made is not None:
                self._info['labels_made'] = source.made
            self._write(runner)

    def after_train(self, runner: Runner) -> None:
        """Add how long it took, with evaluation and checkpoints."""
        if is_main_process():
            if getattr(runner.train_loop, 'stop_training', False) and runner.epoch < runner.max_epochs:
                self._info['stopped_early'] = True
            self._info['seconds'] = round(time.monotonic() - self._start, 1)
            self._write(runner)

    def _write(self, runner: Runner) -> None:
        write_text(Path(runner.log_dir) / FILE_NAME, json.dumps(self._info, indent=2) + '\n')


def _device_of(model: nn.Module) -> str:
    """The device, and the precision where it is that of the device and not of the config alone."""
    device = next(model.parameters()).device
    chosen = getattr(model, 'bfloat16', None) is True  # of other models it is a method of torch
    return device_name(device) + (', bfloat16' if chosen and has_bfloat16(device) else '')


def _number_of(file: Path) -> int:
    """Number of a piece of the run; 0 of one without, as an earlier release has left it."""
    try:
        info: Any = read_json(file)
        return int(info['piece'])
    except (ValueError, KeyError, TypeError):
        return 0


def _command() -> str:
    """The command of this process; under torch's launcher, that which has started all of them."""
    launcher = []
    if 'TORCHELASTIC_RUN_ID' in os.environ:
        nodes, local = (os.environ.get(name, '1') for name in ('GROUP_WORLD_SIZE', 'LOCAL_WORLD_SIZE'))
        launcher = ['-m', 'torch.distributed.run', *([f'--nnodes={nodes}'] if nodes != '1' else [])]
        launcher.append(f'--nproc-per-node={local}')
    return shlex.join([Path(sys.executable).name, *launcher, *map(_shortened, sys.argv)])


def _shortened(argument: str) -> str:
    """A path below the present folder, relative to it."""
    path = Path(argument)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_absolute() and path.is_relative_to(here) else argument
