# SPDX-License-Identifier: Apache-2.0
"""The hook that validates on images held out of a noisy training set."""

from collections.abc import Iterator
from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner, autocast
from mmpretrain.registry import HOOKS
from torch.utils.data import DataLoader

from .pass_loader import training_pass_loader

PREFIX = 'held_out/'
KEY = 'held_out'


@HOOKS.register_module()
class HeldOutHook(Hook):
    """Validate on what ``NoisyLabelDataset(held_out=...)`` keeps back, whose labels are as noisy as those of training.

    With no clean labels at hand, agreement with noisy ones is what an epoch can be chosen by. At each validation
    the network also predicts the images held out, through the pipeline of validation, and how often it agrees with
    their given labels is added to the metrics as ``held_out/accuracy/top1``. It is recorded like all others, and
    ``CheckpointHook(save_best='held_out/accuracy/top1')`` can keep the checkpoint that it prefers.

    Checkpoints say what was held out. A run that is resumed must hold out the same images: others have been trained
    on. Where nothing is held out, the hook does nothing else.

    Args:
        pipeline (list[dict], optional): Transforms of the images held out. Defaults to None, those of
            ``val_dataloader``.
    """

    # Metrics are complete before any other hook, such as that which records them, reads them.
    priority = 'HIGHEST'

    def __init__(self, pipeline: list[dict] | None = None) -> None:
        self.pipeline = pipeline
        # Loader of the images held out, which ResidentDataHook may replace; None where there are none.
        self.dataloader: DataLoader | None = None
        self._before: list | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what was held out of the training of these weights, if it is known."""
        self._before = checkpoint.get(KEY)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put what is held out beside the weights."""
        checkpoint[KEY] = _held_out_of(runner)

    def before_train(self, runner: Runner) -> None:
        """Prepare to load the images held out.

        Args:
            runner (Runner): The runner.

        Raises:
            ValueError: If images are held out of training, and nothing is validated; if the data set that holds them
                out is not the outermost one; or if a resumed run has held out others.
        """
        dataset = runner.train_dataloader.dataset
        share = getattr(dataset, 'held_out', 0)
        if not share and any(getattr(inner, 'held_out', 0) for inner in _inner(dataset)):
            raise ValueError(
                'held_out is for the outermost data set of train_dataloader, a NoisyLabelDataset, '
                f'but there is a {type(dataset).__name__} round it'
            )
        self._compare(runner)
        if share and runner.val_loop is None:
            raise ValueError(f'held_out={share} keeps images back to validate on, but this run does not validate')
        part = dataset.held_out_part() if share else None
        self.dataloader = training_pass_loader(runner, self.pipeline, dataset=part) if share else None

    def _compare(self, runner: Runner) -> None:
        """Compare what is held out with what was held out of the training of the weights."""
        before, now = self._before, _held_out_of(runner)
        self._before = None
        if runner.iter > 0 and (before or [0.0, 0]) != now:
            raise ValueError(
                'a run that goes on must hold out the same images: the checkpoint has '
                f'held_out={before[0] if before else 0}, held_out_seed={before[1] if before else 0}, the config '
                f'held_out={now[0]}, held_out_seed={now[1]}'
            )
        if runner.iter == 0 and before is not None and before != now and now[0]:
            runner.logger.warning(
                'HeldOutHook: the weights that this run begins with have been trained with '
                f'held_out={before[0]}, held_out_seed={before[1]}, and so on images that are held out now'
            )

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add the accuracy on the images held out.

        Args:
            runner (Runner): The runner.
            metrics (dict[str, float], optional): What the loop has measured, and other hooks will read.
        """
        if self.dataloader is not None and metrics is not None:
            found = evaluate(runner, self.dataloader)
            metrics.update({f'{PREFIX}{name}': value for name, value in found.items()})


def _held_out_of(runner: Runner) -> list:
    """Share of the images held out, and the seed by which they are drawn."""
    dataset = runner.train_dataloader.dataset
    share = getattr(dataset, 'held_out', 0.0)
    return [share, dataset.held_out_seed] if share else [0.0, 0]


def _inner(dataset: Any) -> Iterator[Any]:
    """All data sets in a data set."""
    for inner in (getattr(dataset, 'dataset', None), *getattr(dataset, 'datasets', ())):
        if inner is not None:
            yield inner
            yield from _inner(inner)


@torch.no_grad()
def evaluate(runner: Runner, loader: DataLoader) -> dict[str, float]:
    """Measure top-1 accuracy with the network as it stands.

    Args:
        runner (Runner): The runner, in the midst of a validation.
        loader (DataLoader): Loader of the images.

    Returns:
        dict[str, float]: ``accuracy/top1`` in per cent, by all processes together.
    """
    evaluator = Evaluator(dict(type='Accuracy', topk=1))
    for batch in loader:
        with autocast(enabled=runner.val_loop.fp16):
            outputs = runner.model.val_step(batch)
        evaluator.process(data_samples=outputs, data_batch=batch)
    return evaluator.evaluate(len(loader.dataset))  # type: ignore[arg-type]  # data sets here have a length
