# SPDX-License-Identifier: Apache-2.0
"""The hook that keeps small data sets in the memory of the device."""

from typing import Any

import mmengine.dist as dist
import torch
from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpretrain.engine.hooks import SwitchRecipeHook
from mmpretrain.registry import HOOKS
from torch.utils.data import DataLoader

from ..compat import unwrap_model
from ..datasets.resident import CannotKeepError, ResidentDataset, ResidentLoader, changing_transforms, read_all
from .held_out_hook import HeldOutHook

GIB = 2**30


@HOOKS.register_module()
class ResidentDataHook(Hook):
    """Keep the images of training and validation, and those held out, on the device, as uint8.

    Before training it reads these sets once. From then on a batch is a choice of rows: no image is
    read, unpickled, packed or collated again. Samples come in the same order and with the same
    values as without this hook, so that it changes the speed and nothing else.

    A set that does not fit, whose images differ in size or are changed at random on their way, or
    whose pipeline mmpretrain's ``SwitchRecipeHook`` switches, is left to its ordinary data loader,
    and one line in the log says why. Random views belong to :class:`BatchViewDataPreprocessor`.
    Data samples of a resident set hold given label and ``sample_idx``, and no other meta information.

    Args:
        max_gib (float, optional): Most memory that one set may take, in GiB. Defaults to None, a
            quarter of what is free on the GPU, or 1 GiB on a CPU. 0 leaves all sets to their loaders.

    Raises:
        ValueError: If ``max_gib`` is negative.
    """

    # Before LabelNoiseHook looks at the training set.
    priority = 'VERY_HIGH'

    def __init__(self, max_gib: float | None = None) -> None:
        if max_gib is not None and max_gib < 0:
            raise ValueError(f'max_gib must not be negative, got {max_gib}')
        self.max_gib = max_gib

    def before_train(self, runner: Runner) -> None:
        """Take the place of the loaders of training and validation."""
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            # It has an iterator of its own over the loader already.
            _stays(runner, 'train', 'the loop has no epochs')
        elif getattr(unwrap_model(runner.model).data_preprocessor, 'to_onehot', False):
            # Batch augmentations, such as Mixup, among them.
            _stays(runner, 'train', 'the data preprocessor makes scores for each sample')
        elif any(map(_switches_pipeline, runner.hooks)):
            _stays(runner, 'train', 'SwitchRecipeHook switches its pipeline')
        else:
            self._replace(runner, runner.train_loop, 'train')
        if runner.val_loop is not None:
            self._replace(runner, runner.val_loop, 'val')
        for hook in runner.hooks:
            if isinstance(hook, HeldOutHook) and hook.dataloader is not None:
                self._replace(runner, hook, 'held-out')

    def _replace(self, runner: Runner, loop: Any, name: str) -> None:
        """Take the place of the ``dataloader`` of a loop, or of a hook."""
        if isinstance(loop.dataloader, ResidentLoader):  # from a former training by this runner
            return
        device = next(unwrap_model(runner.model).parameters()).device
        try:
            dataset = self._read(loop.dataloader, device)
        except CannotKeepError as reason:
            _stays(runner, name, reason)
            return
        size = dataset.images.nbytes / GIB
        runner.logger.info(f'ResidentDataHook: the {name} set, {size:.2f} GiB, is on {device}')
        loop.dataloader = ResidentLoader(loop.dataloader, dataset)

    def _read(self, loader: DataLoader, device: torch.device) -> ResidentDataset:
        reason = self._reason_against(loader.dataset, device)
        # All processes alike: those on a fuller GPU would otherwise deal other batches.
        reasons = [reason for reason in dist.all_gather_object(reason) if reason]
        if reasons:
            raise CannotKeepError(reasons[0])
        return read_all(loader.dataset, device, loader.num_workers)

    def _reason_against(self, dataset: Any, device: torch.device) -> str | None:
        changing = changing_transforms(dataset)
        if changing:
            return f'its pipeline has {", ".join(changing)}'
        image = dataset[0]['inputs']
        if image.dtype != torch.uint8:
            return f'its images are {image.dtype}, not uint8'
        needed, room = len(dataset) * image.nbytes / GIB, self._room(device)
        if needed > room:
            return f'it takes {needed:.2f} GiB, and {room:.2f} GiB may be used'
        return None

    def _room(self, device: torch.device) -> float:
        """Memory for one set in GiB."""
        if self.max_gib is not None:
            return self.max_gib
        return torch.cuda.mem_get_info(device)[0] / 4 / GIB if device.type == 'cuda' else 1.0


def _switches_pipeline(hook: Hook) -> bool:
    return isinstance(hook, SwitchRecipeHook) and any('train_pipeline' in recipe for recipe in hook.schedule.values())


def _stays(runner: Runner, name: str, reason: object) -> None:
    runner.logger.info(f'ResidentDataHook: the {name} set stays with its data loader: {reason}')
