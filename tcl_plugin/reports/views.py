# SPDX-License-Identifier: Apache-2.0
"""Training images as the network gets them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .style import WRONG, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# So many cells, and so many images, fit beside one another.
MOST_COLUMNS, MOST_BESIDE = 12, 6


@dataclass
class Row:
    """All views of one image.

    Attributes:
        label (str): What is written above them.
        is_wrong (bool): Whether the label is known to be wrong.
        names (list[str]): Name of each of the V views.
        images (list[np.ndarray]): The views in RGB, uint8, shape (H, W, 3) each.
    """

    label: str
    is_wrong: bool
    names: list[str]
    images: list[np.ndarray]


def draw_views(rows: Sequence[Row], title: str = '') -> 'Figure':
    """Draw a grid of images in their views.

    Args:
        rows (Sequence[Row]): The images; all have the same number of views.
        title (str): Title of the picture. Defaults to ''.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    from matplotlib.figure import Figure

    views = len(rows[0].images)
    beside = min(len(rows), MOST_BESIDE, max(1, MOST_COLUMNS // views))
    lines = -(-len(rows) // beside)
    figure = Figure(figsize=(1.45 * views * beside + 0.3, 1.8 * lines + 0.4), layout='constrained')
    figure.suptitle(plain(title))
    grid = figure.subplots(lines, views * beside, squeeze=False).reshape(lines * beside, views)
    for axes, row in zip(grid, rows, strict=False):
        _draw_row(axes, row)
    for axis in grid[len(rows) :].ravel():
        axis.remove()
    return figure


def _draw_row(axes: np.ndarray, row: Row) -> None:
    for axis, name, image in zip(axes, row.names, row.images, strict=True):
        axis.imshow(image, interpolation='nearest')
        axis.set(xticks=[], yticks=[])
        # Two lines above every cell, so that all are of one size.
        axis.set_title(f'\n{name}', fontsize=7, color='dimgray', pad=3)
    color = WRONG if row.is_wrong else 'black'
    first = dict(xy=(0, 1), xycoords='axes fraction', xytext=(0, 12), textcoords='offset points')
    # Above a single view there is no room for both labels in a line, and its name says nothing.
    label = plain(row.label if len(axes) > 1 else row.label.replace(', ', '\n'))
    first |= {} if len(axes) > 1 else dict(xytext=(0, 3))
    axes[0].annotate(label, **first, fontsize=8, color=color, weight='bold', annotation_clip=False)
