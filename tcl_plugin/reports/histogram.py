# SPDX-License-Identifier: Apache-2.0
"""Scores of the given labels, and the mixture that detection fits to them (paper, figure 2 c)."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..detection import KNNDetector, OODDetector, ScoreMixture, fit_score_mixture
from ..detection.base import BaseDetector
from ..evaluation import LabelTable
from .style import CLEAN, WRONG, plain, to_array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 50


def mixture_of(detector: BaseDetector | None, scores: np.ndarray, given: np.ndarray) -> ScoreMixture | None:
    """Fit the mixture that a detector fits to its scores.

    Args:
        detector (BaseDetector, optional): The detector.
        scores (np.ndarray): Score of each sample, shape (N,).
        given (np.ndarray): Given labels, shape (N,).

    Returns:
        ScoreMixture, optional: The mixture. None where these numbers show no two components, or where
        the detector fits none to them: that of losses fits one to their logarithms, others fit other
        distributions.
    """
    if not isinstance(detector, (OODDetector, KNNDetector)):
        return None
    return fit_score_mixture(scores, given if detector.per_class else None, detector.gmm_options)


def picture_scores(table: LabelTable, detector: BaseDetector, title: str = '') -> np.ndarray:
    """Draw the scores of a table of label quality into memory.

    Args:
        table (LabelTable): The table.
        detector (BaseDetector): The detector that made it.
        title (str): Title of the picture. Defaults to ''.

    Returns:
        np.ndarray: Red, green and blue, uint8, shape (H, W, 3).
    """
    return to_array(draw_table(table, detector, title))


def draw_table(table: LabelTable, detector: BaseDetector | None, title: str = '') -> 'Figure':
    """Draw the scores of a table of label quality; see :func:`draw_histogram`.

    Args:
        table (LabelTable): The table.
        detector (BaseDetector, optional): The detector that made it.
        title (str): Title of the picture. Defaults to ''.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    mixture = mixture_of(detector, table.scores, table.given_label)
    is_wrong = None if table.true_label is None else table.given_label != table.true_label
    return draw_histogram(table.scores, is_wrong, mixture, title)


def draw_histogram(
    scores: np.ndarray, is_wrong: np.ndarray | None, mixture: ScoreMixture | None = None, title: str = ''
) -> 'Figure':
    """Draw the scores, of right labels beside wrong ones where the truth is known.

    Args:
        scores (np.ndarray): Score of each given label in [0, 1], shape (N,).
        is_wrong (np.ndarray, optional): Whether it is wrong, bool, shape (N,).
        mixture (ScoreMixture, optional): What to draw over them. Defaults to None.
        title (str): Title of the picture. Defaults to ''.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.6), layout='constrained')
    axis = figure.subplots()
    draw_scores(axis, scores, is_wrong, mixture)
    count = f'{len(scores)} training samples'
    count += '' if is_wrong is None else f', {100 * is_wrong.mean():.1f} % of the labels wrong'
    axis.set_title(plain(f'{title}\n{count}'.strip()), fontsize='medium')
    return figure


def draw_scores(
    axis: 'Axes', scores: np.ndarray, is_wrong: np.ndarray | None, mixture: ScoreMixture | None = None
) -> None:
    """Draw the scores without a title; see :func:`draw_histogram`.

    Args:
        axis (matplotlib.axes.Axes): Where to draw.
        scores (np.ndarray): Score of each given label in [0, 1], shape (N,).
        is_wrong (np.ndarray, optional): Whether it is wrong, bool, shape (N,).
        mixture (ScoreMixture, optional): What to draw over them. Defaults to None.
    """
    # A score may pass 1 by a rounding error.
    scores = scores.clip(0, 1)
    edges: Any = np.linspace(0, 1, BINS + 1)
    if is_wrong is None:
        axis.hist(scores, edges, color='#BBBBBB', label='all labels')
    else:
        style: dict[str, Any] = dict(alpha=0.5, linewidth=0)
        axis.hist(scores[is_wrong], edges, color=WRONG, edgecolor='white', hatch='////', label='wrong labels', **style)
        axis.hist(scores[~is_wrong], edges, color=CLEAN, label='right labels', **style)
    top = axis.get_ylim()[1]
    if mixture is not None:
        _draw_mixture(axis, mixture, len(scores) / BINS)
    # A narrow component would press the bars flat.
    axis.set(xlim=(0, 1), ylim=(0, min(axis.get_ylim()[1], 1.25 * top)))
    axis.set(xlabel=r'score of the given label, $p(y=z\,|\,x)$', ylabel='training samples')
    axis.legend(fontsize='small')


def _draw_mixture(axis: 'Axes', mixture: ScoreMixture, factor: float) -> None:
    """Draw both components, scaled to numbers of samples in a bin."""
    grid = np.linspace(0, 1, 1001)
    wrong, right = factor * mixture.density(grid)
    axis.plot(grid, wrong, color=WRONG, linestyle='--', label='fitted: wrong')
    axis.plot(grid, right, color=CLEAN, label='fitted: right')
