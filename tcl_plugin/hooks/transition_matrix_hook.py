# SPDX-License-Identifier: Apache-2.0
"""The hook that finds out how labels go wrong, for losses that correct for it."""

from pathlib import Path
from typing import Any

import mmengine.dist as dist
import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import Tensor
from torch.utils.data import DataLoader

from ..atomic import array_bytes, replacing
from ..compat import unwrap_model
from ..datasets.image_lists import some
from ..detection import keep_absent, transitions_from_anchors
from ..detection.transition import check_percentile
from ..transitions import count_transitions
from .checks import need_epochs, need_noisy_labels
from .ordered_pass import watched_pass
from .pass_loader import training_pass_loader

MATRIX_NAME = 'transition_matrix.npy'


@HOOKS.register_module()
class TransitionMatrixHook(Hook):
    """Count or estimate the transition matrix of the labels, and hand it to the loss.

    The loss of the head has ``set_matrix(matrix)``, as :class:`ForwardCorrectionLoss` does. The
    matrix is also written to ``transition_matrix.npy`` in the work directory.

    - ``source='noise'`` counts true and given labels of the training set, before training. No method
      that knows given labels alone could do so: it is an oracle, for injected noise only, and suits
      whatever noise a config has.
    - ``source='anchors'`` estimates it after ``warmup_epochs`` epochs, in which the loss still has the
      identity and so is cross-entropy, by one pass over the training set, see
      :func:`transitions_from_anchors`. That pass keeps N x K predictions in memory. Classes that no
      sample has as its given label keep theirs. Where the highest entry of a row is not that of its
      class, the log warns of it.

    The training set must be a :class:`NoisyLabelDataset`.

    Args:
        source (str): ``'noise'`` or ``'anchors'``.
        warmup_epochs (int, optional): Number of epochs before the estimate, for ``'anchors'``.
        percentile (float, optional): See :func:`transitions_from_anchors`. Defaults to 97.
        pipeline (list[dict], optional): Transforms of the pass, see :class:`LabelNoiseHook`.
        batch_size (int, optional): Batch size of the pass, see :class:`LabelNoiseHook`.
        num_workers (int, optional): Workers of the pass, see :class:`LabelNoiseHook`.

    Raises:
        ValueError: If ``source`` is neither of the two, ``warmup_epochs`` does not go with it, or ``percentile`` lies
            outside [0, 100].
    """

    # Before CheckpointHook, so that a checkpoint holds the matrix.
    priority = 'NORMAL'

    def __init__(
        self,
        source: str,
        warmup_epochs: int | None = None,
        percentile: float | None = 97.0,
        pipeline: list[dict] | None = None,
        batch_size: int | None = None,
        num_workers: int | None = None,
    ) -> None:
        if source not in ('noise', 'anchors'):
            raise ValueError(f"source must be 'noise' or 'anchors', got {source!r}")
        if source == 'anchors' and (warmup_epochs is None or warmup_epochs < 1):
            raise ValueError(f"source='anchors' needs warmup_epochs of 1 or more, got {warmup_epochs}")
        if source == 'noise' and warmup_epochs is not None:
            raise ValueError("source='noise' counts before training: leave warmup_epochs out")
        check_percentile(percentile)
        self.source = source
        self.warmup_epochs = warmup_epochs
        self.percentile = percentile
        self.pass_settings = (pipeline, batch_size, num_workers)
        self._loader: Any = None

    def before_train(self, runner: Runner) -> None:
        """Check that the parts fit; count.

        Raises:
            ValueError: If the head's loss takes no matrix, or has one by its config, true labels are needed and not
                known, the loop has no epochs, training ends before the estimate, there is no pipeline for the pass,
                or a run is resumed after the estimate from a checkpoint that has none, or before it from one that
                has.
        """
        if getattr(_loss_of(runner), 'matrix_is_given', False):
            raise ValueError(
                "TransitionMatrixHook finds out the matrix that 'matrix' of the loss gives: leave one of them out"
            )
        dataset = runner.train_dataloader.dataset
        if self.source == 'noise':
            if getattr(dataset, 'true_labels', None) is None:
                raise ValueError(
                    "TransitionMatrixHook(source='noise') needs true labels: a NoisyLabelDataset with noise or "
                    "label_file as the outermost dataset of train_dataloader; source='anchors' does without"
                )
            _hand_over(runner, count_transitions(dataset.true_labels, dataset.given_labels, dataset.num_classes))
            return
        need_epochs(self, runner)
        need_noisy_labels(self, dataset, 'with_pipeline', 'given_labels')
        if self.warmup_epochs >= runner.max_epochs:
            raise ValueError(
                f'warmup_epochs={self.warmup_epochs} of TransitionMatrixHook leaves nothing of the '
                f'{runner.max_epochs} epochs: choose fewer'
            )
        # Now, not when it is too late to mend a config.
        self._loader = training_pass_loader(runner, *self.pass_settings)
        if runner.iter == 0:
            # Weights that the run starts from may have brought a matrix along.
            _loss_of(runner).set_matrix(np.eye(dataset.num_classes))
        else:
            self._check_resumed(runner)

    def _check_resumed(self, runner: Runner) -> None:
        estimated = not _is_identity(_loss_of(runner).matrix)
        if runner.epoch >= self.warmup_epochs and not estimated:
            raise ValueError(
                f'the run is resumed after epoch {runner.epoch}, and its checkpoint has no matrix, which '
                f'TransitionMatrixHook would have estimated after warmup_epochs={self.warmup_epochs}: begin anew, or '
                'choose a longer warm-up'
            )
        if runner.epoch < self.warmup_epochs and estimated:
            raise ValueError(
                f'the run is resumed after epoch {runner.epoch}, and its checkpoint has a matrix already, which '
                f'TransitionMatrixHook would estimate after warmup_epochs={self.warmup_epochs}: begin anew, or leave '
                'the warm-up as it was'
            )

    def after_train_epoch(self, runner: Runner) -> None:
        """Estimate, once. A run that is resumed later has the matrix from its checkpoint."""
        if self.source == 'anchors' and runner.epoch + 1 == self.warmup_epochs:
            matrix = transitions_from_anchors(_predict(runner, self._loader), self.percentile)
            matrix = keep_absent(matrix, runner.train_dataloader.dataset.given_labels)
            _hand_over(runner, matrix)
            _warn_of_strange_rows(runner, matrix)


def _loss_of(runner: Runner) -> Any:
    loss = getattr(unwrap_model(runner.model).head, 'loss_module', None)
    if not hasattr(loss, 'set_matrix'):
        raise ValueError(
            'TransitionMatrixHook is for a head whose loss takes a matrix, such as '
            f"LinearClsHead(loss=dict(type='ForwardCorrectionLoss', ...)), got {type(loss).__name__}"
        )
    return loss


def _is_identity(matrix: Tensor) -> bool:
    return torch.equal(matrix, torch.eye(len(matrix), dtype=matrix.dtype, device=matrix.device))


def _predict(runner: Runner, loader: DataLoader) -> np.ndarray:
    """Predictions on the training set of all processes, float32, shape (N, K)."""
    table, size = None, len(runner.train_dataloader.dataset)
    with watched_pass(unwrap_model(runner.model), loader, 'transition matrix') as batches:
        for batch in batches:
            if table is None:
                table = batch.probs.new_zeros(size, batch.probs.size(1))
            table[batch.index] = batch.probs
    # Each process has filled the rows of its own samples.
    assert table is not None
    dist.all_reduce(table)
    return table.cpu().numpy()


def _hand_over(runner: Runner, matrix: np.ndarray) -> None:
    _loss_of(runner).set_matrix(matrix, 'of TransitionMatrixHook')
    runner.logger.info(
        f'TransitionMatrixHook: the given label is right with probability {np.diag(matrix).mean():.4f}, '
        'averaged over classes'
    )
    if dist.is_main_process():
        with replacing(Path(runner.work_dir) / MATRIX_NAME, 'wb') as file:
            file.write(array_bytes(matrix))


def _warn_of_strange_rows(runner: Runner, matrix: np.ndarray) -> None:
    """Say where the anchor of a class may be a sample of another."""
    right = np.diag(matrix)
    strange = np.flatnonzero(right < matrix.max(axis=1))
    if len(strange):
        rows = some([f'{label} (of {matrix[label].argmax()})' for label in strange])
        least = int(right.argmin())
        runner.logger.warning(
            'TransitionMatrixHook: by the estimate, these classes have the given label of another class more often '
            f'than their own: {rows}. The given label is right least often in class {least}, with probability '
            f'{right[least]:.4f}. Unless labels are so, anchors are samples of other classes: look at {MATRIX_NAME}, '
            'and choose another warmup_epochs or percentile'
        )
