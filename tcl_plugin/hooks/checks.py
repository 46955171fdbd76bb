# SPDX-License-Identifier: Apache-2.0
"""What hooks refuse before the first step."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpretrain.engine.hooks import SwitchRecipeHook

from ..compat import unwrap_model
from ..datasets.resident import ResidentDataset


def need_epochs(hook: Hook, runner: Runner) -> None:
    """Refuse a training loop that counts iterations.

    Args:
        hook (Hook): Who needs epochs.
        runner (Runner): The runner.

    Raises:
        ValueError: If it is such a loop.
    """
    if isinstance(runner.train_loop, IterBasedTrainLoop):
        raise ValueError(f'{type(hook).__name__} needs epochs: set train_cfg = dict(by_epoch=True, ...)')


def need_noisy_labels(hook: Hook, dataset: Any, *attributes: str) -> None:
    """Refuse a training set that is no :class:`NoisyLabelDataset`, nor takes the place of one.

    Args:
        hook (Hook): Who needs one.
        dataset (Dataset): The outermost data set of the training.
        *attributes (str): What it must have.

    Raises:
        ValueError: If one is missing.
    """
    if not all(hasattr(dataset, name) for name in attributes):
        inner = dataset.dataset if isinstance(dataset, ResidentDataset) else dataset
        raise ValueError(
            f'{type(hook).__name__} needs a NoisyLabelDataset as the outermost dataset of train_dataloader, '
            f'got {type(inner).__name__}'
        )


def refuse_batch_augments(runner: Runner) -> None:
    """Refuse batch augmentations of the data preprocessor, such as Mixup, also those of a later epoch.

    They mix images and write the mixed labels into ``gt_score``. Heads that keep something of each sample go by its
    given label alone, and would teach a mixed image as if it were one of its two parts; so do models that mix images
    themselves.

    Args:
        runner (Runner): The runner, whose model is a classifier.

    Raises:
        ValueError: If there are any, or ``SwitchRecipeHook`` would switch some on.
    """
    model = unwrap_model(runner.model)
    at_once = getattr(getattr(model, 'data_preprocessor', None), 'batch_augments', None) is not None
    if at_once or any(map(_switches_batch_augments, runner.hooks)):
        place = 'model.train_cfg' if at_once else 'SwitchRecipeHook'
        keeps = hasattr(model.head, 'set_clean_prob') or hasattr(model.head, 'set_sample_state')
        what = (
            f'{type(model.head).__name__} goes by the given label of each image'
            if keeps
            else f'{type(model).__name__} mixes images itself'
        )
        raise ValueError(f'{what}, and batch_augments ({place}, such as Mixup) mix images: leave them out')


def _switches_batch_augments(hook: Hook) -> bool:
    # A recipe of None switches them off.
    return isinstance(hook, SwitchRecipeHook) and any(
        recipe.get('batch_augments') is not None for recipe in hook.schedule.values()
    )
