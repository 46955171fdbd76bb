# SPDX-License-Identifier: Apache-2.0
"""Representations in the plane (paper, figure 2 a and b)."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..progress import is_watched, progress
from .style import CLASSES, CROSS, add_legend, class_colors, class_names, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of more classes than this, names in the picture would hide it.
MOST_NAMES = 30

# Iterations of t-SNE from sign of life to sign of life; each costs one more calculation of the divergence.
EVERY = 10


@dataclass
class Points:
    """What one panel shows.

    Attributes:
        features (np.ndarray): Representations, shape (N, D).
        classes (np.ndarray): Class that gives each its colour, -1 for none, int64, shape (N,).
        caption (str): What is shown.
        is_wrong (np.ndarray, optional): Whose label is wrong, bool, shape (N,).
        wrong_caption (str): What that is to be called.
    """

    features: np.ndarray
    classes: np.ndarray
    caption: str
    is_wrong: np.ndarray | None = None
    wrong_caption: str = 'given label wrong'


def embed(features: np.ndarray) -> np.ndarray:
    """Lay out representations in the plane by t-SNE, with openTSNE where it is installed.

    On a terminal, a line on stderr shows how much time remains; scikit-learn's tells nobody how far it has come, and
    the line then shows the time that it has taken.

    van der Maaten and Hinton: Visualizing Data using t-SNE, JMLR 2008,
    https://jmlr.org/papers/v9/vandermaaten08a.html

    Args:
        features (np.ndarray): Shape (N, D).

    Returns:
        np.ndarray: Shape (N, 2).

    Raises:
        ValueError: If there are fewer than five.
    """
    if len(features) < 5:
        raise ValueError(f't-SNE needs five samples or more, got {len(features)}')
    perplexity = min(30.0, (len(features) - 1) / 3)
    features = np.asarray(features, dtype=np.float32)
    what = f't-SNE of {len(features)} samples'
    if importlib.util.find_spec('openTSNE'):
        return _embed_by_open_tsne(features, perplexity, what)
    from sklearn.manifold import TSNE

    with progress(what, None):
        return TSNE(perplexity=perplexity, random_state=0, init='pca').fit_transform(features)


def _embed_by_open_tsne(features: np.ndarray, perplexity: float, what: str) -> np.ndarray:
    from openTSNE import TSNE

    tsne = TSNE(perplexity=perplexity, random_state=0)
    # At once: before the first iteration come the neighbours, which take long and say nothing.
    with progress(what, tsne.early_exaggeration_iter + tsne.n_iter, patience=0) as advance:
        if is_watched():
            tsne.callbacks_every_iters = EVERY
            tsne.callbacks = lambda iteration, error, embedding: advance(EVERY)
        return np.asarray(tsne.fit(features))


def draw_embeddings(
    panels: Sequence[Points], num_classes: int, names: Sequence[str] | None = None, title: str = ''
) -> 'Figure':
    """Draw the t-SNE of several sets of representations beside one another.

    Args:
        panels (Sequence[Points]): The sets.
        num_classes (int): Number of classes K.
        names (Sequence[str], optional): Names of the classes. Defaults to None, numbers.
        title (str): Title of the picture. Defaults to ''.

    Returns:
        matplotlib.figure.Figure: The picture.

    Raises:
        ValueError: If a set has fewer than five samples.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(panels), 5.6), layout='constrained')
    figure.suptitle(plain(title))
    names = class_names(names, num_classes)
    for axis, points in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        _draw_points(axis, points, embed(points.features), names)
    _add_legend(figure, panels, names)
    return figure


def _draw_points(axis: 'Axes', points: Points, where: np.ndarray, names: list[str]) -> None:
    """Draw crosses for wrong labels below, points in the colours of the classes above, and names at their medians."""
    size = np.clip(20_000 / len(where), 3, 22)
    is_wrong = np.zeros(len(where), dtype=bool) if points.is_wrong is None else points.is_wrong
    x, y = where[is_wrong].T
    axis.scatter(x, y, s=size, c=CROSS, marker='x', linewidths=0.6, alpha=0.6, rasterized=True)
    shown = ~is_wrong & (points.classes >= 0)
    colors = class_colors(len(names))[points.classes[shown]]
    x, y = where[shown].T
    axis.scatter(x, y, s=size, c=colors, linewidths=0, alpha=0.85, rasterized=True)
    if len(names) <= MOST_NAMES:
        for k in np.unique(points.classes[points.classes >= 0]):
            _write_name(axis, np.median(where[points.classes == k], axis=0), names[k])
    axis.set(xticks=[], yticks=[], title=points.caption)
    axis.title.set_fontsize('medium')
    axis.set_box_aspect(1)


def _write_name(axis: 'Axes', where: np.ndarray, name: str) -> None:
    from matplotlib.patheffects import withStroke

    outline = [withStroke(linewidth=2.5, foreground='white')]
    x, y = where
    axis.text(x, y, name, ha='center', va='center', fontsize='small', weight='bold', path_effects=outline)


def _add_legend(figure: 'Figure', panels: Sequence[Points], names: list[str]) -> None:
    from matplotlib.lines import Line2D

    named = list(names) if len(names) <= len(CLASSES) else []
    style: dict[str, Any] = dict(linestyle='', markersize=5)
    handles = [Line2D([], [], color=color, marker='o', **style) for color in class_colors(len(named))]
    for caption in sorted({p.wrong_caption for p in panels if p.is_wrong is not None}):
        handles.append(Line2D([], [], color=CROSS, marker='x', **style))
        named.append(caption)
    if handles:
        add_legend(figure, handles, named, loc='outside lower center', ncols=min(6, len(handles)))
