# SPDX-License-Identifier: Apache-2.0
"""Building the runner and its parts, with a line for whatever does not fit."""

import contextlib
from collections.abc import Sequence
from typing import Any

from mmengine import dist
from mmengine.config import Config
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmpretrain.evaluation import Accuracy

from ..checkpoints import recorded_checkpoint
from ..compat import unwrap_model
from ..errors import UserError, explained
from ..explain import (
    explain_arguments,
    explain_checkpoint,
    explain_files,
    explain_full_disk,
    explain_loader,
    explain_open_file,
    explain_optimizer,
    explain_own_validation,
    explain_registry,
    explain_samples,
    explain_timm,
    explain_validation,
)
from ..explain_run import explain_collection, explain_image, explain_memory, explain_parts, explain_views
from .weights import impatience

BUILDING = (
    explain_full_disk,
    explain_registry,
    explain_arguments,
    explain_timm,
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
    explain_collection,
    explain_views,
    explain_parts,
    explain_memory,
    explain_own_validation,
    explain_full_disk,
    explain_open_file,
)

# How mmengine begins when names or shapes of weights differ, and all must be the same.
MISFIT = 'The model and loaded state dict do not match exactly'


def build_runner(cfg: Config, notes: Sequence[str] = ()) -> Runner:
    """Build the runner, and with it model and hooks.

    Args:
        cfg (Config): The finished config.
        notes (Sequence[str]): Lines for the log.

    Returns:
        Runner: The runner. It explains a checkpoint that does not load.

    Raises:
        UserError: If the config names what does not exist or does not fit.
    """
    with explained(*BUILDING):
        runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    for note in notes:
        runner.logger.info(note)
    watch_loading(runner)
    return runner


def watch_loading(runner: Runner) -> None:
    """Tell in one line of checkpoints that do not load, or are not the same in all processes.

    Both happen in the middle of ``train()`` or ``test()``, which raises a :class:`UserError` then. A run that goes on
    finds its checkpoint whatever the locale.

    Args:
        runner (Runner): The runner.
    """
    load_or_resume, load_checkpoint = runner.load_or_resume, runner.load_checkpoint
    written: list[str | None] = []

    def name(filename: str, *args: Any, **kwargs: Any) -> dict:
        def prefixed(error: Exception) -> str | None:
            if str(error).startswith(MISFIT):
                return f'checkpoint {filename} does not fit the config: {str(error).removeprefix(MISFIT)}'
            line = explain_files(error) or explain_checkpoint(error)
            return f'checkpoint {filename}: {line}' if line else None

        with explained(prefixed):
            checkpoint = load_checkpoint(filename, *args, **kwargs)
        written.append((checkpoint.get('meta') or {}).get('time'))
        return checkpoint

    def load(*args: Any, **kwargs: Any) -> None:
        if runner._resume and runner._load_from is None:
            # mmengine would read the record in the encoding of the locale, which need not be UTF-8. Not by the config:
            # a run by the copy of it in the work directory goes on from what is then the last checkpoint.
            last = recorded_checkpoint(runner.work_dir)
            runner._load_from = last and str(last)
        with explained(explain_checkpoint):
            load_or_resume(*args, **kwargs)
        _check_same_start(runner, written)

    runner.load_checkpoint, runner.load_or_resume = name, load


def _check_same_start(runner: Runner, written: list[str | None]) -> None:
    """Refuse processes that go on from different places, which would wait for one another until the time-out.

    Each looks for the checkpoint by itself, and a folder on a machine's own disk has those of this machine alone.
    """
    starts = dist.all_gather_object((runner.epoch, runner.iter, written))
    others = [rank for rank, start in enumerate(starts) if start != starts[0]]
    if others:
        texts = [f'process {rank} {_start_text(*starts[rank])}' for rank in (0, others[0])]
        raise UserError(
            f'the processes do not begin from the same checkpoint ({", ".join(texts)}): each looks for it by itself, '
            'so keep the work directory on storage that all machines share, or copy the checkpoint to each'
        )


def _start_text(epoch: int, iteration: int, written: list[str | None]) -> str:
    if not written:
        return 'from none'
    saved = f', written {written[0]}' if written[0] else ''
    return f'from one after {epoch} epochs and {iteration} iterations{saved}'


def build_parts(runner: Runner, *names: str) -> None:
    """Build what a runner leaves for later, data sets above all.

    Done apart from the run, so that an error in the config is told apart from a bug.

    Args:
        runner (Runner): The runner.
        *names (str): Its loops: ``train_loop``, ``val_loop``, ``test_loop``.

    Raises:
        UserError: If a data set is missing, or the config does not fit.
    """
    with explained(*BUILDING), impatience():
        for name in names:
            getattr(runner, name)
        if 'train_loop' in names:
            runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
            check_length(runner.train_loop)
        for name in names:
            _check_classes(runner, name)
            _check_topk(runner, name)


def check_length(loop: Any) -> None:
    """Refuse a training without a step, which mmengine would finish without a word.

    Args:
        loop (EpochBasedTrainLoop | IterBasedTrainLoop): The loop.

    Raises:
        UserError: If there is no epoch, or no batch.
    """
    epochs = getattr(loop, 'max_epochs', None)
    if epochs is not None and epochs < 1:
        raise UserError(f'train_cfg.max_epochs={epochs} leaves nothing to train: it must be 1 or more')
    loader = loop.dataloader
    if hasattr(loader, '__len__') and not len(loader):
        raise UserError(
            f'train_dataloader has no batch: {len(loader.dataset)} samples, batch_size={loader.batch_size}, '
            f'drop_last={loader.drop_last}'
        )


def _num_classes(runner: Runner) -> int | None:
    """Number of classes that the head predicts, where it says so."""
    return getattr(getattr(unwrap_model(runner.model), 'head', None), 'num_classes', None)


def _check_classes(runner: Runner, name: str) -> None:
    """Refuse labels that the head has no class for: on a GPU they would end the run without a reason."""
    loop = getattr(runner, name)
    number = _num_classes(runner)
    dataset = getattr(getattr(loop, 'dataloader', None), 'dataset', None)
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    if number and classes and len(classes) > number:
        raise UserError(
            f'the head predicts {number} classes, but the data set of {name.removesuffix("_loop")}_dataloader has '
            f'{len(classes)}: set model.head.num_classes={len(classes)}'
        )


def _check_topk(runner: Runner, name: str) -> None:
    """Refuse a top-k accuracy of more classes than there are, which the first evaluation would stumble over."""
    number = _num_classes(runner)
    evaluator, key = getattr(getattr(runner, name), 'evaluator', None), f'{name.removesuffix("_loop")}_evaluator'
    for metric in getattr(evaluator, 'metrics', []):
        most = max(metric.topk) if isinstance(metric, Accuracy) else 0
        if number and most > number:
            raise UserError(
                f'the top-{most} accuracy of {key} needs {most} classes, and the head predicts {number}: '
                f'set {key}.topk=1'
            )


def running() -> contextlib.AbstractContextManager[None]:
    """Explain what this package refuses during a run; anything else is a bug and keeps its traceback.

    Returns:
        contextlib.AbstractContextManager: The context of a run.
    """
    return explained(*RUNNING)
