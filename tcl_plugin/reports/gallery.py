# SPDX-License-Identifier: Apache-2.0
"""The images whose labels a run doubts most, as one picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .audit.source import Audit
from .audit.thumbnails import UNREADABLE, read_image
from .style import CLEAN, WRONG, class_names, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 10
# Pixels on the longer side of an image; more would not show.
LARGEST = 150


@dataclass
class Doubtful:
    """An image whose label is doubtful.

    Attributes:
        image (np.ndarray, optional): In RGB, uint8, shape (H, W, 3); None where it cannot be read.
        given (str): Name of the given class.
        suggested (str): Name of the suggested one.
    """

    image: np.ndarray | None
    given: str
    suggested: str


def doubtful_images(audit: Audit, most: int) -> list[Doubtful]:
    """Take the images at the top of the ranking.

    Args:
        audit (Audit): The audit.
        most (int): How many at the most.

    Returns:
        list[Doubtful]: The images, the most doubtful first.
    """
    names, table = class_names(audit.classes, len(audit.classes)), audit.table
    suggested, _ = table.suggestions
    return [
        Doubtful(_pixels(audit.dataset.get_data_info(row)), names[table.given_label[row]], names[suggested[row]])
        for row in audit.ranking[:most].tolist()
    ]


def _pixels(info: dict) -> np.ndarray | None:
    try:
        image = read_image(info).convert('RGB')
    except UNREADABLE:
        return None  # the gallery says so in its place
    image.thumbnail((LARGEST, LARGEST))
    return np.asarray(image)


def draw_gallery(cells: Sequence[Doubtful], title: str = '') -> 'Figure':
    """Draw doubtful images in a grid.

    Args:
        cells (Sequence[Doubtful]): The images. Of none there is the title alone.
        title (str): Title of the picture. Defaults to ''.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    from matplotlib.figure import Figure

    lines, columns = grid_of(len(cells))
    figure = Figure(figsize=(max(5, 1.1 * columns + 0.3), 1.5 * lines + 0.4), layout='constrained')
    fill_gallery(figure, cells, title)
    return figure


def caption_of(cells: Sequence[Doubtful], called: int) -> str:
    """Say what a gallery shows.

    Args:
        cells (Sequence[Doubtful]): Its images.
        called (int): Number of labels that the run calls wrong.

    Returns:
        str: The caption.
    """
    if not called:
        return 'no label is called wrong'
    return f'the {len(cells)} most doubtful of {called:,} labels called wrong, and what it suggests'


def grid_of(count: int) -> tuple[int, int]:
    """Say how many lines and columns so many images take, ``COLUMNS`` beside one another at the most."""
    return -(-count // COLUMNS), min(count, COLUMNS)


def fill_gallery(figure: 'Figure', cells: Sequence[Doubtful], title: str) -> None:
    """Draw doubtful images into a figure or a part of one.

    Args:
        figure (matplotlib.figure.FigureBase): Where to draw.
        cells (Sequence[Doubtful]): The images.
        title (str): Title.
    """
    lines, columns = grid_of(len(cells))
    figure.suptitle(plain(title), fontsize='medium')
    if not cells:
        return
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axis, cell in zip(axes, cells, strict=False):
        _draw_cell(axis, cell)
    for axis in axes[len(cells) :]:
        axis.remove()


def _draw_cell(axis: 'Axes', cell: Doubtful) -> None:
    """The image, and below it the given label and what is suggested."""
    if cell.image is None:
        axis.text(0.5, 0.5, 'cannot\nbe read', ha='center', va='center', fontsize=7, transform=axis.transAxes)
        axis.set_box_aspect(1)
    else:
        axis.imshow(cell.image, interpolation='nearest' if max(cell.image.shape) <= 64 else 'antialiased')
    axis.set(xticks=[], yticks=[])
    below: dict[str, Any] = dict(
        xycoords='axes fraction', textcoords='offset points', ha='center', va='top', annotation_clip=False
    )
    axis.annotate(f'given {cell.given}', (0.5, 0), (0, -3), color=WRONG, fontsize=8, **below)
    axis.annotate(f'→ {cell.suggested}', (0.5, 0), (0, -14), color=CLEAN, fontsize=8, weight='bold', **below)
