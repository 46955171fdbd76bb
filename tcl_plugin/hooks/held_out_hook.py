# SPDX-License-Identifier: Apache-2.0
"""The hook that validates on images held out of a noisy training set."""

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner, autocast
from mmpretrain.registry import HOOKS
from torch.utils.data import DataLoader

from .pass_loader import training_pass_loader

PREFIX = 'held_out/'


@HOOKS.register_module()
class HeldOutHook(Hook):
    """Validate on what ``NoisyLabelDataset(held_out=...)`` keeps back, whose labels are as noisy as those of training.

    With no clean labels at hand, agreement with noisy ones is what an epoch can be chosen by. At each validation
    the network also predicts the images held out, through the pipeline of validation, and how often it agrees with
    their given labels is added to the metrics as ``held_out/accuracy/top1``. It is recorded like all others, and
    ``CheckpointHook(save_best='held_out/accuracy/top1')`` can keep the checkpoint that it prefers.

    Where nothing is held out, the hook does nothing.
    """

    # Metrics are complete before any other hook, such as that which records them, reads them.
    priority = 'HIGHEST'

    def __init__(self) -> None:
        # Loader of the images held out, which ResidentDataHook may replace; None where there are none.
        self.dataloader: DataLoader | None = None

    def before_train(self, runner: Runner) -> None:
        """Prepare to load the images held out.

        Args:
            runner (Runner): The runner.

        Raises:
            ValueError: If images are held out of training, and nothing is validated.
        """
        dataset = runner.train_dataloader.dataset
        share = getattr(dataset, 'held_out', 0)
        if share and runner.val_loop is None:
            raise ValueError(f'held_out={share} keeps images back for validation, but there is no val_dataloader')
        self.dataloader = training_pass_loader(runner, dataset=dataset.held_out_part()) if share else None

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add the accuracy on the images held out.

        Args:
            runner (Runner): The runner.
            metrics (dict[str, float], optional): What the loop has measured, and other hooks will read.
        """
        if self.dataloader is not None and metrics is not None:
            found = evaluate(runner, self.dataloader)
            metrics.update({f'{PREFIX}{name}': value for name, value in found.items()})


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
