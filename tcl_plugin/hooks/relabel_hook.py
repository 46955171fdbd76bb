# SPDX-License-Identifier: Apache-2.0
"""The hook that corrects labels once, before a second stage of training."""

from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import Tensor

from ..compat import unwrap_model
from .bad_numbers import evidence_of_pass
from .checks import need_epochs, need_noisy_labels
from .findings import build_detector, find
from .head_epoch import tell_epoch
from .label_identity import identity_of, what_differs
from .ordered_pass import watched_pass
from .pass_loader import training_pass_loader

KEY = 'corrected_labels'
ORIGIN_KEY = 'corrected_labels_of'


@HOOKS.register_module()
class RelabelHook(Hook):
    """Give samples the class that a detector suggests, where it is sure, and hand the labels to the model.

    It makes one pass over the training set before the first epoch, with the weights that
    ``load_from`` has loaded. A label becomes the suggested class where its probability exceeds
    ``threshold``, and stays as it is elsewhere. The labels travel in checkpoints, so that a resumed
    run goes on with the same ones, and is refused where given labels or images of ``open_set`` have
    changed. The model has ``set_labels(labels)``, as :class:`TCLPlus` does.

    The training set must be a :class:`NoisyLabelDataset`.

    Args:
        detector (dict): Config of a detector in TASK_UTILS that suggests labels, such as
            :class:`OODDetector`.
        threshold (float): Probability above which a suggestion is taken, in [0, 1]. Defaults to 0.5,
            as in the published code of TCL+. The more classes, the lower it must be: with evenly spread
            prototypes, the highest posterior of :class:`OODDetector` with its default ``sigma`` is 0.90
            for 10 classes, 0.50 for 60, 0.36 for 100 and 0.05 for 1,000.

    Raises:
        ValueError: If ``threshold`` lies outside [0, 1].
    """

    # After ResidentDataHook, and before CheckpointHook.
    priority = 'NORMAL'

    def __init__(self, detector: dict, threshold: float = 0.5) -> None:
        if not 0 <= threshold <= 1:
            raise ValueError(f'threshold must lie in [0, 1], got {threshold}')
        self.detector = build_detector(detector)
        self.threshold = threshold
        self._labels: Tensor | None = None
        self._origin: dict = {}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the labels of the checkpoint, if it has any.

        Raises:
            ValueError: If its weights have no projector: mmengine would leave that as it was drawn.
        """
        self._labels = checkpoint.get(KEY)
        self._origin = checkpoint.get(ORIGIN_KEY, {})  # those of earlier releases have none
        if not any('head.projector.' in name for name in checkpoint.get('state_dict', checkpoint)):
            raise ValueError(
                'RelabelHook needs a checkpoint of TCL, with a projector, to find wrong labels by: this one has none'
            )

    def before_train(self, runner: Runner) -> None:
        """Correct the labels, or take over those of a resumed run.

        Raises:
            ValueError: If the loop has no epochs, the model takes no labels, the training set has none to correct, the
                weights are untrained, or the run is resumed from a checkpoint without labels or with those of another
                training set.
        """
        need_epochs(self, runner)
        model = unwrap_model(runner.model)
        if not hasattr(model, 'set_labels'):
            raise ValueError(
                f'RelabelHook is for models that take labels, such as TCLPlus, not {type(model).__name__}'
            )
        dataset = runner.train_dataloader.dataset
        need_noisy_labels(self, dataset, 'with_pipeline', 'given_labels')
        if runner.iter == 0:
            if runner._load_from is None:
                raise ValueError(
                    'RelabelHook would correct labels by an untrained network: set load_from to a checkpoint of the '
                    'first stage, such as work_dirs/tcl_r18_cifar10_sym90/epoch_200.pth'
                )
            self._labels, self._origin = self._correct(runner), {}
        self._check_labels(dataset)
        model.set_labels(self._labels)

    def _check_labels(self, dataset: Any) -> None:
        size = len(dataset)
        if self._labels is None or len(self._labels) != size:
            found = 'none' if self._labels is None else f'those of {len(self._labels)} samples'
            raise ValueError(
                f'the run is resumed and needs the corrected labels of {size} samples: the checkpoint has {found}'
            )
        changed = what_differs(self._origin, dataset)
        if changed is not None:
            raise ValueError(
                f'the run is resumed, and {changed} are not those that the labels in its checkpoint are corrected '
                'from: go on with those, or begin the second stage anew'
            )
        # A checkpoint of an earlier release does not say; those that come after it do.
        self._origin = self._origin or identity_of(dataset)

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the head which epoch begins."""
        tell_epoch(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the labels beside the weights."""
        checkpoint[KEY] = self._labels
        checkpoint[ORIGIN_KEY] = self._origin

    def _correct(self, runner: Runner) -> Tensor:
        dataset = runner.train_dataloader.dataset
        watched = watched_pass(unwrap_model(runner.model), training_pass_loader(runner), 'labels to correct')
        with evidence_of_pass(runner, dataset, runner.epoch), watched as batches:
            findings = find(batches, self.detector, dataset.given_labels, dataset.num_classes)
        for text in findings.remarks.values():
            runner.logger.warning(f'RelabelHook: {text} (see docs/degenerate.md)')
        if findings.suggested_label is None or findings.suggested_prob is None:
            raise ValueError(f'{type(self.detector).__name__} suggests no labels: RelabelHook needs one that does')
        sure = findings.suggested_prob > self.threshold
        labels = np.where(sure, findings.suggested_label, dataset.given_labels)
        if not sure.any():
            runner.logger.warning(
                f'RelabelHook: no suggestion exceeds threshold={self.threshold}, the highest is '
                f'{findings.suggested_prob.max():.4f}, and all labels stay as they are given: choose a lower threshold'
            )
        _log(runner, labels, dataset.given_labels, dataset.true_labels, sure)
        return torch.from_numpy(labels)


def _log(runner: Runner, labels: np.ndarray, given: np.ndarray, true: np.ndarray | None, sure: np.ndarray) -> None:
    text = (
        f'{100 * sure.mean():.1f} % of the suggestions taken, {100 * (labels != given).mean():.1f} % of labels changed'
    )
    if true is not None:
        text += f'; wrong before {100 * (given != true).mean():.1f} %, after {100 * (labels != true).mean():.1f} %'
    runner.logger.info(f'RelabelHook: {text}')
