# SPDX-License-Identifier: Apache-2.0
"""All that a run is about in one picture: accuracy and memorisation, scores, and doubtful images."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..detection import ScoreMixture
from ..evaluation import LabelTable
from .curves import ACCURACY, FITTED, draw_panel, name_runs, panels_of
from .gallery import Doubtful, caption_of, fill_gallery, grid_of
from .histogram import draw_scores
from .records import RunRecord
from .style import plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_overview(
    records: Mapping[str, RunRecord],
    table: LabelTable,
    mixture: ScoreMixture | None,
    cells: Sequence[Doubtful],
    title: str = '',
    part: str = 'test',
) -> 'Figure':
    """Draw runs, and the labels that the first of them doubts.

    Args:
        records (Mapping[str, RunRecord]): Runs by the name they are to bear.
        table (LabelTable): Table of label quality of the first.
        mixture (ScoreMixture, optional): What is fitted to its scores.
        cells (Sequence[Doubtful]): Its doubtful images, the most doubtful first.
        title (str): Title of the picture. Defaults to ''.
        part (str): See :func:`panels_of`. Defaults to ``'test'``.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    from matplotlib.figure import Figure

    first, heights = next(iter(records)), (3.2, 0.35 + 1.25 * grid_of(len(cells))[0])
    figure = Figure(figsize=(10, sum(heights) + 0.3), layout='constrained')
    engine: Any = figure.get_layout_engine()
    engine.set(w_pad=0.06, h_pad=0.06)
    figure.suptitle(plain(title))
    parts: Any = figure.subfigures(2, 1, height_ratios=heights)
    above, below = parts
    panels = [panel for panel in panels_of(records, part) if panel[1] in (ACCURACY, FITTED)]
    *curves, scores = above.subplots(1, len(panels) + 1, squeeze=False)[0]
    for axis, panel in zip(curves, panels, strict=True):
        draw_panel(axis, records, *panel)
    if curves:
        name_runs(curves[0], records)
    is_wrong = None if table.true_label is None else table.given_label != table.true_label
    draw_scores(scores, table.scores, is_wrong, mixture)
    scores.set_xlabel(plain(f'{first}: score of the given label'))
    caption = caption_of(cells, int(table.is_label_issue.sum()))
    fill_gallery(below, cells, f'{first}: {caption}')
    return figure
