# SPDX-License-Identifier: Apache-2.0
"""The hook that finds out, epoch by epoch, which labels to trust."""

from pathlib import Path
from typing import Any

import mmengine.dist as dist
import numpy as np
import torch
from mmengine.hooks import CheckpointHook, Hook
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS
from torch import Tensor

from ..compat import unwrap_model
from ..datasets.agreement import classes_given_up
from ..datasets.image_lists import some
from ..evaluation import TABLE_NAME, LabelTable, write_label_table
from ..reports.histogram import picture_scores
from .bad_numbers import evidence_of_pass
from .checks import need_epochs, need_noisy_labels, refuse_batch_augments
from .findings import Findings, build_detector, find
from .head_epoch import tell_epoch
from .label_identity import identity_of, what_differs
from .label_judge import LabelJudge
from .ordered_pass import watched_pass
from .pass_loader import training_pass_loader
from .pass_record import scalars_of, table_of
from .prob_export import ProbExport

# No slash: the local backend makes it the name of a file.
PICTURE_NAME = 'label_noise_scores'

KEY = 'label_quality'


@HOOKS.register_module()
class LabelNoiseHook(Hook):
    """Detect wrong labels of the training set during training.

    After every ``interval`` epochs and after the last, this hook puts the training set through the
    network, in order, in evaluation mode and with the test pipeline. Where the head takes results,
    it also does so before the first epoch of a run, and at the end of the head's warm-up
    (``warmup_epochs``). Then it

    - asks the detector for clean probabilities and prototypes,
    - hands them to the head, if it wants them (``set_clean_prob``),
    - logs one line, and scalars ``label_noise/*`` for every visualisation backend,
    - writes ``label_quality.csv`` into the work directory (see :class:`LabelTable`), and with
      ``export`` the predictions as well.

    With injected noise the scalars include AUC, precision and recall of the detection, and the
    share of wrong labels that the network has fitted.

    Clean probabilities that the head has been told travel in checkpoints, beside the model's
    ``state_dict``, under ``label_quality``: with an ``interval`` above 1 they belong to earlier
    weights than the checkpoint's. A resumed run goes on with them; where there are none, or they
    belong to other labels or images of ``open_set``, it makes a pass first.

    The training set must be a :class:`NoisyLabelDataset`. Without a detector, and with any
    classifier, the hook only measures; that is how plain training is watched for memorisation.

    Args:
        detector (dict, optional): Config of a detector in TASK_UTILS, such as
            :class:`OODDetector`. Defaults to None, which only measures.
        interval (int): Number of epochs from pass to pass. Defaults to 1.
        pipeline (list[dict], optional): Transforms of the pass. Defaults to None, the pipeline of
            ``val_dataloader`` or else ``test_dataloader``.
        batch_size (int, optional): Batch size of the pass. Defaults to None, that of the same
            dataloader.
        num_workers (int, optional): Workers of the pass. Defaults to None, the number of the same
            dataloader.
        export (bool): Whether to write ``pred_probs.npy`` (float32, shape (N, K), in the order of the
            samples) and ``labels.npy`` (given labels, int64, shape (N,)) beside the table, for
            programs such as cleanlab. The predictions are in-sample: the network has been trained
            on these images and labels. Defaults to False.
        plot_interval (int): Every so many epochs the scores are drawn, with the fitted mixture, for
            every visualisation backend; a multiple of ``interval``. Defaults to 0, never.

    Raises:
        ValueError: If ``interval`` is less than 1, or ``plot_interval`` no multiple of it, or there is
            no detector whose scores could be drawn.
    """

    # Before CheckpointHook, so that a checkpoint holds the prototypes of its own weights.
    priority = 'NORMAL'

    def __init__(
        self,
        detector: dict | None = None,
        interval: int = 1,
        pipeline: list[dict] | None = None,
        batch_size: int | None = None,
        num_workers: int | None = None,
        export: bool = False,
        plot_interval: int = 0,
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval must be 1 or more, got {interval}')
        if plot_interval < 0 or plot_interval % interval:
            raise ValueError(f'plot_interval must be 0 or a multiple of interval={interval}, got {plot_interval}')
        if plot_interval and detector is None:
            raise ValueError(f'plot_interval={plot_interval} draws scores, which need a detector')
        self.detector = build_detector(detector)
        self.interval = interval
        self.pipeline = pipeline
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.export = export
        self.plot_interval = plot_interval
        self._loader: Any = None
        self._remarked: set[str] = set()
        self._saved: dict | None = None
        self._told: Tensor | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what the checkpoint knows of the labels, until they are known to be the same."""
        self._saved = checkpoint.get(KEY)

    def before_train(self, runner: Runner) -> None:
        """Check that the parts fit, and look at the labels for the first time, or go on with what is known."""
        self._check(runner)
        self._loader = training_pass_loader(runner, self.pipeline, self.batch_size, self.num_workers)
        if self._hands_back(runner) and not self._take_over(runner):
            self.inspect(runner, epoch=runner.epoch)

    def _take_over(self, runner: Runner) -> bool:
        saved, self._saved = self._saved, None
        if runner.iter == 0 or saved is None:
            return False
        changed = what_differs(saved, runner.train_dataloader.dataset)
        if changed is not None:
            runner.logger.warning(
                f'LabelNoiseHook: {changed} are not those of the checkpoint, so that clean probabilities are '
                'found out anew'
            )
            return False
        # Prototypes are among the weights.
        self._tell(runner, saved['clean_prob'].cpu())
        return True

    def _tell(self, runner: Runner, clean_prob: Tensor, prototypes: Tensor | None = None) -> None:
        unwrap_model(runner.model).head.set_clean_prob(clean_prob, prototypes)
        self._told = clean_prob

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put what the head has been told beside the weights."""
        if self._told is not None:
            checkpoint[KEY] = dict(clean_prob=self._told) | identity_of(runner.train_dataloader.dataset)

    def before_train_epoch(self, runner: Runner) -> None:
        """Tell the head which epoch begins."""
        tell_epoch(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Look at the labels."""
        if self.every_n_epochs(runner, self.interval) or self.is_last_train_epoch(runner) or self._warmup_ends(runner):
            self.inspect(runner, epoch=runner.epoch + 1)

    def _warmup_ends(self, runner: Runner) -> bool:
        # From the next epoch on the head leans on what a pass has found: not on one of long ago.
        return (
            self._hands_back(runner)
            and getattr(unwrap_model(runner.model).head, 'warmup_epochs', None) == runner.epoch + 1
        )

    def _check(self, runner: Runner) -> None:
        need_epochs(self, runner)
        before = runner.hooks[: runner.hooks.index(self)] if self in runner.hooks else []
        if any(isinstance(hook, CheckpointHook) for hook in before):
            raise ValueError(
                'LabelNoiseHook comes after CheckpointHook, which would save what was found an epoch before: '
                'leave its priority as it is'
            )
        dataset, model = runner.train_dataloader.dataset, unwrap_model(runner.model)
        need_noisy_labels(self, dataset, 'with_pipeline', 'given_labels')
        head = getattr(model, 'head', None)
        if head is None:
            raise ValueError(f'LabelNoiseHook needs a classifier with a head, got {type(model).__name__}')
        if hasattr(head, 'set_clean_prob') or hasattr(model, 'mixup_alpha'):
            refuse_batch_augments(runner)
        if self.detector is None and hasattr(head, 'set_clean_prob'):
            raise ValueError(
                f"{type(head).__name__} needs a detector: dict(type='LabelNoiseHook', "
                "detector=dict(type='OODDetector'))"
            )
        num_classes = getattr(head, 'num_classes', dataset.num_classes)
        if num_classes != dataset.num_classes:
            raise ValueError(
                f'the head predicts {num_classes} classes, but the training set has '
                f'{dataset.num_classes}: set model.head.num_classes={dataset.num_classes}'
            )

    def _check_prototypes(self, runner: Runner, findings: Findings) -> None:
        # A head that is told none keeps zeros, and the loss that compares with them would say nothing.
        head = unwrap_model(runner.model).head
        if findings.prototypes is None and self._hands_back(runner) and getattr(head, 'align_proto_weight', 0) > 0:
            raise ValueError(
                f'{type(self.detector).__name__} finds no prototypes, which {type(head).__name__} aligns mixed images '
                'with: choose another detector, or set model.head.align_proto_weight=0'
            )

    def _hands_back(self, runner: Runner) -> bool:
        return self.detector is not None and hasattr(unwrap_model(runner.model).head, 'set_clean_prob')

    def inspect(self, runner: Runner, epoch: int) -> None:
        """Make a pass, and do everything that follows from it.

        Args:
            runner (Runner): The runner, in or after :meth:`before_train`.
            epoch (int): Number of epochs that have been trained.
        """
        dataset = runner.train_dataloader.dataset
        exported = ProbExport() if self.export else None
        judge = LabelJudge() if self.detector is not None else None
        with watched_pass(unwrap_model(runner.model), self._loader, f'labels after epoch {epoch}') as batches:
            for watcher in (exported, judge):
                batches = batches if watcher is None else watcher.watch(batches)
            with evidence_of_pass(runner, dataset, epoch):
                findings = find(batches, self.detector, dataset.given_labels, dataset.num_classes)
        self._check_prototypes(runner, findings)
        self._remark(runner, epoch, findings)
        if self._hands_back(runner):
            self._tell(runner, torch.from_numpy(findings.clean_prob), findings.prototypes)
        scalars = scalars_of(findings, dataset.given_labels, dataset.true_labels)
        _log(runner, epoch, scalars)
        judgement = None if judge is None else judge.judge(len(dataset))
        if judgement is not None and self.detector is not None and dist.is_main_process():
            self._record(runner, epoch, table_of(findings, judgement, self.detector, dataset))
        if exported is not None:
            exported.write(runner.work_dir, dataset.given_labels, dataset.num_classes)

    def _record(self, runner: Runner, epoch: int, table: LabelTable) -> None:
        """Write the table, and draw it where that is due."""
        write_label_table(Path(runner.work_dir) / TABLE_NAME, table)
        if self.plot_interval and self.detector is not None and epoch and epoch % self.plot_interval == 0:
            picture = picture_scores(table, self.detector, f'epoch {epoch}')
            runner.visualizer.add_image(PICTURE_NAME, picture, step=epoch)

    def _remark(self, runner: Runner, epoch: int, findings: Findings) -> None:
        """Log each kind of thing that went otherwise than it should once in a run."""
        remarks = findings.remarks | _collapse(findings.predicted_label if epoch else None, runner)
        if epoch == runner.max_epochs:  # before, a class may come yet
            remarks |= _given_up(findings.predicted_label, runner.train_dataloader.dataset)
        for kind in remarks.keys() - self._remarked:
            runner.logger.warning(
                f'LabelNoiseHook: epoch {epoch}: {remarks[kind]} (said once; see docs/degenerate.md)'
            )
        self._remarked |= remarks.keys()


def _collapse(predicted: np.ndarray | None, runner: Runner) -> dict[str, str]:
    """What the classes of the training set have lost: given labels, and after training all predictions but one."""
    dataset = runner.train_dataloader.dataset
    remarks = {}
    empty = np.flatnonzero(np.bincount(dataset.given_labels, minlength=dataset.num_classes) == 0)
    if len(empty):
        remarks['class without labels'] = f'no sample has the given label of class {_names(empty, dataset)}'
    if predicted is not None and (predicted == predicted[0]).all():
        text = f'the network predicts class {_names(predicted[:1], dataset)} for all {len(predicted)} training samples'
        remarks['one prediction'] = text
    return remarks


def _given_up(predicted: np.ndarray, dataset: Any) -> dict[str, str]:
    """Classes that the trained network has lost to others, whose images it calls wrong for good."""
    lost = classes_given_up(predicted, dataset.given_labels, dataset.num_classes)
    if not len(lost) or (predicted == predicted[0]).all():
        return {}
    found, named = (np.isin(labels, lost).sum() for labels in (predicted, dataset.given_labels))
    text = (
        f'the network has given up class {_names(lost, dataset)}: it predicts {found:,} samples so, and {named:,} are '
        'labelled so. Do not believe what is suggested for these; another seed, or a longer warm-up, may keep them'
    )
    return {'class given up': text}


def _names(labels: np.ndarray, dataset: Any) -> str:
    """The first few classes by number, and by name where that is another."""
    classes = dataset.metainfo.get('classes')
    known = classes is not None
    return some([f'{k} ({classes[k]})' if known and classes[k] != str(k) else str(k) for k in labels])


def _log(runner: Runner, epoch: int, scalars: dict[str, float]) -> None:
    if scalars:
        text = ', '.join(f'{name} {value:.4f}' for name, value in scalars.items())
        runner.logger.info(f'LabelNoiseHook: epoch {epoch}: {text}')
    runner.visualizer.add_scalars({f'label_noise/{name}': value for name, value in scalars.items()}, step=epoch)
