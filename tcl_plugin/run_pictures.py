# SPDX-License-Identifier: Apache-2.0
"""Pictures of a finished run: of its table of label quality, its data, and what its network says."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.utils import import_modules_from_strings
from mmpretrain.registry import HOOKS, TASK_UTILS
from torch import nn

from .detection.base import BaseDetector
from .evaluation import TABLE_NAME, read_label_table
from .hooks import LabelNoiseHook
from .reports import (
    Points,
    doubtful_images,
    draw_confusion,
    draw_embeddings,
    draw_gallery,
    draw_table,
    images_of_part,
    read_config,
    title_of,
)
from .reports.audit import read_audit
from .reports.gallery import caption_of
from .saved_run import Outputs, open_run, test_outputs, training_outputs, training_set

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 10_000
MOST_IMAGES = 20


class OpenRun:
    """A run whose network is built and asked at the first use, once for all pictures.

    Args:
        work_dir (str): Its work directory.
        title (str, optional): Title of its pictures. Defaults to None, what the run was.
        device (str, optional): Where the network runs. Defaults to None, the accelerator if there is one.
    """

    def __init__(self, work_dir: str | Path, title: str | None = None, device: str | None = None) -> None:
        self.work_dir = Path(work_dir)
        self.title = title_of(work_dir) if title is None else title
        self.device = device or get_device()
        self._network: tuple[Config, nn.Module] | None = None
        self._test: Outputs | None = None

    @property
    def network(self) -> tuple[Config, nn.Module]:
        """tuple: Config and network."""
        if self._network is None:
            self._network = open_run(self.work_dir, self.device)
        return self._network

    @property
    def test(self) -> Outputs:
        """Outputs: What the network says about the test set."""
        if self._test is None:
            self._test = test_outputs(*self.network)
        return self._test

    @property
    def classes(self) -> tuple[int, list[str] | None]:
        """tuple: Number of classes, and their names or None."""
        model: Any = self.network[1]
        return model.head.num_classes, model._dataset_meta.get('classes')


def draw_scores(run: OpenRun) -> 'Figure':
    """Draw the scores in the table of label quality.

    Args:
        run (OpenRun): The run.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    table = read_label_table(run.work_dir / TABLE_NAME)
    return draw_table(table, detector_of(run.work_dir), run.title)


def detector_of(work_dir: str | Path) -> BaseDetector | None:
    """Build the detector anew whose scores a run's table has.

    Args:
        work_dir (str | Path): Its work directory.

    Returns:
        BaseDetector, optional: The detector; None where the run has none.
    """
    _, cfg = read_config(Path(work_dir))
    if cfg.get('custom_imports'):  # the detector may be a person's own
        import_modules_from_strings(**cfg.custom_imports)
    # Other hooks have detectors too, such as that which relabels before the second stage of TCL+.
    hooks = [hook for hook in cfg.get('custom_hooks') or [] if hook.get('detector') and writes_table(hook.type)]
    return TASK_UTILS.build(hooks[0].detector) if hooks else None


def writes_table(name: str) -> bool:
    """Tell whether it is a hook that writes the table of label quality.

    Args:
        name (str): Its name in the registry.

    Returns:
        bool: True if so.
    """
    kind = HOOKS.get(name)
    return isinstance(kind, type) and issubclass(kind, LabelNoiseHook)


def draw_doubtful(run: OpenRun) -> 'Figure':
    """Draw the images whose labels a run doubts most.

    Args:
        run (OpenRun): The run.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    audit = read_audit(run.work_dir)
    cells = doubtful_images(audit, MOST_IMAGES)
    return draw_gallery(cells, f'{run.title}\n{caption_of(cells, len(audit.ranking))}'.strip())


def draw_tsne(run: OpenRun) -> 'Figure':
    """Draw the representations of the test set, where there is one apart, and of the training set.

    Args:
        run (OpenRun): The run.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    cfg, model = run.network
    dataset = training_set(cfg)
    train = training_outputs(cfg, model, dataset, MOST_POINTS)
    num_classes, names = run.classes
    panels = [training_points(run, train, dataset.true_labels)]
    part = images_of_part(cfg)
    if part != 'training':  # the same images again
        test = run.test
        caption = f'{len(test.index)} {part} images, by predicted class'
        panels.insert(0, Points(test.features, test.predicted, caption))
    return draw_embeddings(panels, num_classes, names, run.title)


def training_points(run: OpenRun, train: Outputs, true: np.ndarray | None) -> Points:
    """Say which training samples to draw how.

    Args:
        run (OpenRun): The run.
        train (Outputs): What the network says about them.
        true (np.ndarray, optional): True labels of the whole training set.

    Returns:
        Points: By true class and with wrong labels where the truth is known; otherwise by predicted class,
        with the labels that the run calls wrong.
    """
    caption = f'{len(train.index)} training images, by '
    if true is not None:
        true = true[train.index]
        return Points(train.features, true, f'{caption}true class', train.labels != true)
    called = None
    if (run.work_dir / TABLE_NAME).is_file():
        called = read_label_table(run.work_dir / TABLE_NAME).is_label_issue[train.index]
    return Points(train.features, train.predicted, f'{caption}predicted class', called, 'given label called wrong')


def draw_matrix(run: OpenRun) -> 'Figure':
    """Draw the confusion matrix of the test set.

    Args:
        run (OpenRun): The run.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    test, (num_classes, names) = run.test, run.classes
    accuracy = 100 * (test.predicted == test.labels).mean()
    part = images_of_part(run.network[0])
    # Labels that have been kept back from training, or trained on, may be wrong.
    found = f'accuracy {accuracy:.1f} %' if part == 'test' else f'{accuracy:.1f} % predicted as they are labelled'
    title = f'{run.title}\n{len(test.labels)} {part} images, {found}'.strip()
    return draw_confusion(test.predicted, test.labels, num_classes, names, title)


KINDS: 'dict[str, Callable[[OpenRun], Figure]]' = dict(
    histogram=draw_scores, gallery=draw_doubtful, tsne=draw_tsne, confusion=draw_matrix
)
NEED_TABLE = ('histogram', 'gallery')
NEED_TEST = ('tsne', 'confusion')
