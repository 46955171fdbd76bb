# SPDX-License-Identifier: Apache-2.0
"""The hook that validates the representations, whatever the classifier makes of them."""

from typing import Any

import torch
from mmengine.evaluator import Evaluator
from mmengine.hooks import Hook
from mmengine.runner import Runner, autocast
from mmpretrain.registry import HOOKS
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.utils.data import DataLoader

from ..compat import unwrap_model
from ..detection.neighbors import nearest_neighbors
from ..detection.row_store import RowStore
from ..detection.voting import check_vote, class_votes, of_all_processes
from ..progress import counted, progress
from ..structures import labels_of
from .checks import need_noisy_labels
from .ordered_pass import represent
from .pass_loader import training_pass_loader

PREFIX = 'knn/'


@HOOKS.register_module()
class KNNAccuracyHook(Hook):
    r"""Measure how well nearest neighbours in the training set tell the classes of the validation set.

    At each validation the k training images that are most alike to an image, by cosine similarity of representations,
    vote for its class, each with its given label, right or wrong:

    .. math::
        p(y|x) = \frac{\sum_{j\in N_k(x)} s_j\,[y_j=y]}{\sum_{j\in N_k(x)} s_j},
        \qquad s_j = \exp(v^\top v_j/\tau)

    (Wu et al., CVPR 2018, https://arxiv.org/abs/1805.01978, section 3.4). How often the class with the most votes is
    right is added to the metrics as ``knn/accuracy/top1``: it says what the representations have learned where the
    classifier may have memorised labels. The published code of TCL logs the same of 200 neighbours; how it weighs
    votes, and with which labels, is not known here.

    Representations are the head's projections, or the normalised features before its last layer where it has no
    projector. Each validation costs a pass over the training set, in evaluation mode. The neighbours are exact, see
    :class:`KNNDetector`.

    Args:
        k (int): Number of neighbours. Defaults to 200.
        temperature (float, optional): :math:`\tau`. Defaults to None: all votes weigh the same.
        pipeline (list[dict], optional): Transforms of the training images. Defaults to None, those of
            ``val_dataloader``.

    Raises:
        ValueError: If ``k`` is less than 1 or ``temperature`` not positive.
    """

    # Metrics are complete before any other hook, such as that which records them, reads them.
    priority = 'HIGHEST'

    def __init__(self, k: int = 200, temperature: float | None = None, pipeline: list[dict] | None = None) -> None:
        check_vote(k, temperature)
        self.k = k
        self.temperature = temperature
        self.pipeline = pipeline
        self._loader: DataLoader | None = None

    def before_train(self, runner: Runner) -> None:
        """Check that there are training labels to vote with, and images to validate on.

        Args:
            runner (Runner): The runner.

        Raises:
            ValueError: If there are not, the model has no head, or another hook does the same.
        """
        self._loader = None  # that of a former training by this runner
        dataset = runner.train_dataloader.dataset
        need_noisy_labels(self, dataset, 'with_pipeline')
        if runner.val_loop is None:
            raise ValueError('KNNAccuracyHook looks for the neighbours of validation images, but this run has none')
        model = unwrap_model(runner.model)
        if sum(isinstance(hook, KNNAccuracyHook) for hook in runner.hooks) > 1:
            raise ValueError('there is more than one KNNAccuracyHook, and all would record under one name: keep one')
        if getattr(model, 'head', None) is None:
            raise ValueError(f'KNNAccuracyHook needs a classifier with a head, got {type(model).__name__}')

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Add the accuracy of the vote.

        Args:
            runner (Runner): The runner.
            metrics (dict[str, float], optional): What the loop has measured, and other hooks will read.
        """
        if metrics is None:
            return
        if self._loader is None:  # not before training: ResidentDataHook may have put another set in its place
            self._loader = training_pass_loader(runner, self.pipeline)
        found = self._evaluate(runner, self._loader)
        metrics.update({f'{PREFIX}{name}': value for name, value in found.items()})

    @torch.no_grad()
    def _evaluate(self, runner: Runner, loader: DataLoader) -> dict[str, float]:
        """Top-1 accuracy of the vote, in per cent, by all processes together."""
        model, asked = unwrap_model(runner.model), runner.val_loop.dataloader
        with autocast(enabled=runner.val_loop.fp16):
            with progress(f'neighbours after epoch {runner.epoch}', len(loader)) as advance:
                voters, labels = _represent_all(model, counted(loader, advance))
            # A loader draws a seed whenever it starts, which training would miss.
            with torch.random.fork_rng(devices=[]):
                queries, classes = _represent_all(model, asked)
        similarity, position = nearest_neighbors(voters, self.k, queries)
        num_classes = runner.train_dataloader.dataset.num_classes
        votes = class_votes(similarity, position, of_all_processes(labels), num_classes, self.temperature)
        evaluator = Evaluator(dict(type='Accuracy', topk=1))
        evaluator.process(
            [
                DataSample().set_pred_score(vote).set_gt_label(label)
                for vote, label in zip(torch.cat(list(votes)), classes, strict=True)
            ]
        )
        return evaluator.evaluate(len(asked.dataset))


def _represent_all(model: Any, batches: Any) -> tuple[RowStore, Tensor]:
    """Representations of this process's images, and their labels, int64, shape (n,)."""
    rows, labels = RowStore(torch.float16), []
    for batch in batches:
        data = model.data_preprocessor(batch, False)
        features = represent(model.head, model.extract_feat(data['inputs']))
        rows.append(features)
        labels.append(labels_of(data['data_samples'], features.device))
    return rows, torch.cat(labels)
