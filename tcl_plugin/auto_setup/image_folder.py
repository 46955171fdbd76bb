# SPDX-License-Identifier: Apache-2.0
"""Set up a training on a folder of images."""

import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.logging import print_log
from mmpretrain.registry import TASK_UTILS

from ..datasets.image_lists import require_folder, some
from ..evaluation import write_columns
from ..moved_lists import LISTS
from ..reports.audit.label_lists import list_path
from .choices import IMAGE_SIZES, Choice, Facts, choose
from .images import find_unreadable
from .layout import Layout, find_layout, list_files, settle_classes, without_unreadable
from .machine import free_memory, num_processes, usable_cores
from .notes import WRONG_TOO, describe, describe_others, summarise
from .own_lists import (
    OwnList,
    describe_outside,
    hold_out,
    places_of,
    read_own_lists,
    refuse_list_of_all,
    refuse_overlap,
    without_listed,
    without_lost,
)
from .own_values import HOMES, LIST_HOMES, own_values
from .placeholders import fill
from .split import FEWEST_TO_SPLIT, split_off, write_list
from .trial import TRIED, Trial, try_step


@TASK_UTILS.register_module()
class ImageFolderSetup:
    """Look at a folder of images, and settle what a config leaves open.

    A config names it as ``auto_setup=dict(type='ImageFolderSetup')`` and writes ``'auto:NAME'`` where a value is to
    stand. ``tools/train.py`` puts the values there before anything is built, so that the config in the work directory
    and in checkpoints is complete. The names:

    ==================================== =============================================================================
    ``data_root``                        the folder, absolute
    ``classes``, ``num_classes``         names of the classes, and their number K
    ``train_list``                       list of images for :class:`CSVDataset`, absolute, in ``lists`` of the work
                                         directory
    ``val_list``, ``test_list``          the same; where there are no images to test, those of validation
    ``image_size``, ``resize_edge``      pixels on a side, and of the short edge before a crop
    ``batch_size``, ``val_batch_size``   on each process
    ``total_batch_size``                 on all processes
    ``num_workers``                      processes that read images
    ``max_epochs``, ``warmup_epochs``    in all, and of these with all labels trusted
    ``lr``                               learning rate for ``total_batch_size``
    ==================================== =============================================================================

    Folders are described in :func:`find_layout`, the split in :func:`split_off`, the rules in :mod:`.choices`. What
    stands in the config at one of :attr:`homes` in place of ``'auto:...'`` is a person's choice, and kept; of a list,
    the images that are there and can be read.

    Attributes:
        homes (dict[str, str]): Where a person chooses a value for themselves, by its name; whatever else depends on
            it follows.

    Args:
        lr (float): Learning rate for 32 images; it goes with the batch size. Defaults to 0.005.
        val_share (float): Share of each class to keep back for validation where there is no folder for it, in
            (0, 1). Defaults to 0.1.
        seed (int): Seed of that split. Defaults to 0.
        layout (str, optional): ``'classes'`` or ``'parts'``, where :func:`find_layout` cannot tell. Defaults to None.
        max_hours (float): Without a GPU, images and epochs are fewer where training would take longer. Defaults to 12.
        check_images (bool): Whether to decode every image once, and leave out those that cannot be read, which would
            stop the training. Defaults to True.
        trial (bool): Whether to make a step on a few images, to find out time and memory. Defaults to True.

    Raises:
        ValueError: If ``val_share`` or ``layout`` is none of those.
    """

    homes = HOMES

    def __init__(
        self,
        lr: float = 0.005,
        val_share: float = 0.1,
        seed: int = 0,
        layout: str | None = None,
        max_hours: float = 12.0,
        check_images: bool = True,
        trial: bool = True,
    ) -> None:
        if not 0 < val_share < 1:
            raise ValueError(
                f'auto_setup.val_share must lie between 0 and 1, got {val_share}; --no-validate keeps nothing back'
            )
        if layout not in (None, 'classes', 'parts'):
            raise ValueError(f"auto_setup.layout must be 'classes' or 'parts', got {layout!r}")
        self.lr = lr
        self.val_share = val_share
        self.seed = seed
        self.layout = layout
        self.max_hours = max_hours
        self.check_images = check_images
        self.trial = trial

    def chosen(self, cfg: Config) -> dict[str, Any]:
        """Read what a person has chosen; see :func:`own_values`."""
        return own_values(cfg)

    def check(self, cfg: Config) -> Path:
        """Refuse choices that make no sense, without a look at the images.

        Args:
            cfg (Config): The config.

        Returns:
            Path: The folder of the images.

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If none is named, or another choice makes no sense.
        """
        fixed = self.chosen(cfg)
        if 'data_root' not in fixed:
            raise ValueError('where are the images? Name their folder: --cfg-options data_root=PATH')
        return require_folder(Path(fixed['data_root']), 'data_root')

    def __call__(self, cfg: Config) -> tuple[dict[str, Any], list[str]]:
        """Look at folder and machine, and choose; writes lists into the work directory.

        Args:
            cfg (Config): The config, with ``work_dir``. Where its ``val_dataloader`` is None, no images are kept back.

        Returns:
            tuple[dict[str, Any], list[str]]: Values by name, and lines for the log.

        Raises:
            FileNotFoundError: If there is no such folder.
            ValueError: If it is none of images in classes, or too few images are in it.
        """
        fixed = self.chosen(cfg)
        root = self.check(cfg)
        lists = Path(cfg.work_dir) / LISTS
        layout, notes = self._look(root, lists, fixed.get('classes'))
        classes = settle_classes(layout, fixed.get('classes'), root)
        found = [describe(layout.parts, classes, root), *notes, *layout.notes]
        own, told = self._own_lists(cfg, fixed, layout, classes, root)
        found += told
        if 'train' in own:
            found.append(f'trained on are the images that {own["train"].table} lists, with its labels')
        found += hold_out(layout, own, classes, root)
        validates = cfg.get('val_dataloader') is not None
        found += self._split(layout, validates, own.get('train'), root)
        if 'train' in own:
            layout.parts['train'] = own['train'].by_class(classes, root)
        found += describe_outside(layout, own, root)
        values = dict(data_root=str(root), classes=classes, num_classes=len(classes))
        values |= _write_lists(layout, classes, lists)
        values |= {f'{part}_list': listed.written(lists, part, classes) for part, listed in own.items()}
        num_train = sum(map(len, layout.parts['train'].values()))
        choice = self._choose(cfg, fixed, values, num_train)
        return values | choice.values, [*found, summarise(cfg, choice.values), *choice.notes]

    def _look(self, root: Path, lists: Path, classes: list[str] | None) -> tuple[Layout, list[str]]:
        """What is in the folder, without files that are no images or cannot be read."""
        files = list_files(root)
        # By all files: a part whose images cannot be read is no reason to take other folders for the classes.
        layout = find_layout(files.images, self.layout)
        unreadable, notes = self._unreadable(root, files.images, lists)
        for part, images in layout.parts.items():
            layout.parts[part] = without_unreadable(images, unreadable, root / layout.folders.get(part, ''), root)
            gone = [name for name in images if name not in layout.parts[part]]
            if gone and part == 'train':
                layout.broken = gone
            if gone:
                notes.append(f'no image of {some(gone)} in {part} can be read')
        return layout, notes + describe_others(files, layout)

    def _unreadable(self, root: Path, images: Sequence[str], lists: Path) -> tuple[dict[str, str], list[str]]:
        """What is wrong with images that cannot be read, and a line about them; a report lies beside the lists."""
        # The log begins with the runner, and this may take minutes.
        print_log(f'{type(self).__name__}: looking at {len(images):,} images in {root}')
        unreadable = find_unreadable(root, images, self.check_images)
        report = lists / 'left_out.csv'
        if not unreadable:
            if self.check_images:  # what an earlier run has left out has been put right since
                report.unlink(missing_ok=True)
            return unreadable, []
        lists.mkdir(parents=True, exist_ok=True)
        names = [path.encode(errors='replace').decode() for path in unreadable]
        write_columns(report, dict(img_path=list(map(list_path, names)), reason=list(unreadable.values())))
        return unreadable, [f'left out, as they cannot be read: {some(names)} ({report} says why)']

    def _own_lists(
        self, cfg: Config, fixed: Mapping[str, Any], layout: Layout, classes: list[str], root: Path
    ) -> tuple[dict[str, OwnList], list[str]]:
        """Lists of a person's own by part, without images that are gone or cannot be read, and lines for the log."""
        own, notes = read_own_lists(cfg, fixed, root, classes), []
        parts = layout.parts.values() if own else ()
        paths = (os.path.join(root, path) for part in parts for images in part.values() for path in images)
        readable = set(places_of(paths))
        for part, listed in own.items():
            own[part], told = without_lost(part, listed, readable, self.check_images, classes)
            notes += told
        return own, notes

    def _split(self, layout: Layout, validates: bool, own: OwnList | None, root: Path) -> list[str]:
        """Keep images back for validation, where there are none yet; say what that means."""
        if not validates:
            trained = 'the training part' if own is None else own.table
            note = f'no validation: all labels of {trained} are trained on, and audited'
            tested = {'val', 'test'} & layout.parts.keys()
            return [note if tested else f'{note}; a test later on will be of these images, too']
        if 'val' in layout.parts:
            if own is not None:
                refuse_overlap(own, layout.parts['val'], root)
            return [WRONG_TOO]
        told = self._keep_back(layout) if own is None else self._keep_back_others(layout, own, root)
        if not layout.parts['val']:
            raise ValueError(
                f'no class has the {FEWEST_TO_SPLIT} images of which one could be kept back for validation: '
                'give more images, or train by --no-validate'
            )
        layout.kept_back = True
        count = sum(map(len, layout.parts['val'].values()))
        return [
            f'validation: {count:,} images are kept back, {told}. They are neither trained on nor audited; '
            '--no-validate keeps none back',
            WRONG_TOO,
        ]

    def _keep_back(self, layout: Layout) -> str:
        """Keep back a share of each class, and say which."""
        layout.parts['train'], layout.parts['val'] = split_off(layout.parts['train'], self.val_share, self.seed)
        whole = [name for name in layout.parts['train'] if name not in layout.parts['val']]
        few = f', but none of a class of fewer than {FEWEST_TO_SPLIT}: {some(whole)}' if whole else ''
        return f'{self.val_share:.0%} of each class{few}'

    def _keep_back_others(self, layout: Layout, own: OwnList, root: Path) -> str:
        """Keep back what was kept back in the training that a list comes from, whatever has been deleted since."""
        train = layout.parts['train']
        # One image less, and a split moves another to the other side: the list says on which side it was.
        refuse_list_of_all(own, split_off(train, self.val_share, self.seed)[1], root)
        val, _ = without_listed(split_off(train, self.val_share, self.seed, len(own.left_out))[1], own, root)
        layout.parts['val'] = {name: images for name, images in val.items() if images}
        return f'which {own.table} does not list'

    def _choose(self, cfg: Config, fixed: Mapping[str, Any], values: dict[str, Any], num_train: int) -> Choice:
        """Make a trial, and choose by it."""
        device = torch.device(get_device())
        facts = Facts(num_train, device.type, usable_cores(), num_processes(cfg.get('launcher', 'none')))
        if self.trial and num_train >= TRIED:
            facts.tried_size = fixed.get('image_size') or IMAGE_SIZES[0]
            trial = self._try(cfg, values | choose_for_trial(facts.tried_size), device)
            facts.free_bytes = free_memory(device)
            facts.sample_bytes, facts.model_bytes = trial.sample_bytes, trial.model_bytes
            facts.seconds = None if device.type == 'cuda' else trial.seconds
        return choose(facts, fixed, self.lr, self.max_hours)

    def _try(self, cfg: Config, values: Mapping[str, Any], device: torch.device) -> Trial:
        print_log(f'{type(self).__name__}: trying a training step on {TRIED} images')
        tried = Config(copy.deepcopy(cfg.to_dict()))
        fill(tried, values)
        tried.merge_from_dict({LIST_HOMES[name]: values[name] for name in LIST_HOMES if name in self.chosen(cfg)})
        trial = try_step(tried, device)
        if device.type == 'cuda':
            torch.cuda.empty_cache()
        return trial


def choose_for_trial(size: int) -> dict[str, Any]:
    """Values for a trial: a step needs all names, and depends on the size alone."""
    return choose(Facts(TRIED, 'cpu'), dict(image_size=size), lr=0.0, max_hours=0.0).values


def _write_lists(layout: Layout, classes: list[str], folder: Path) -> dict[str, str]:
    """Write a list for each part, and name them.

    Images to test are, in default of others, those of validation, and these, in default of others, those of training:
    without validation it is still from them that a pass over the training set has its pipeline.
    """
    found = {
        part: str(write_list(folder, part, images, classes, layout.kept_back if part == 'val' else None))
        for part, images in layout.parts.items()
    }
    val = found.get('val', found['train'])
    return dict(train_list=found['train'], val_list=val, test_list=found.get('test', val))
