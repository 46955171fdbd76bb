# SPDX-License-Identifier: Apache-2.0
"""Curves over the epochs of one run or several."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .records import ACCURACY, HELD_OUT, NEIGHBORS, RunRecord
from .style import add_legend, plain, save, series_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

FITTED = 'label_noise/wrong_labels_fitted'
# As many names of runs find room in a panel.
FEW = 6

# (title, scalar, scalar to dash beside it, factor to per cent); a scalar that no run has recorded gets no panel.
PANELS = (
    ('{part} accuracy (%)', ACCURACY, None, 1),
    ('wrong labels fitted (%)', FITTED, None, 100),
    ('labels not trusted (%)', 'label_noise/estimated_noise_rate', 'label_noise/noise_rate', 100),
    ('AUC of noise detection (%)', 'label_noise/score_auc', None, 100),
    ('agreement with labels held out (%)', HELD_OUT, None, 1),
    ('accuracy by nearest neighbours (%)', NEIGHBORS, None, 1),
)


def panels_of(records: Mapping[str, RunRecord], part: str = 'test') -> list[tuple]:
    """Choose what to draw of runs.

    Args:
        records (Mapping[str, RunRecord]): Runs by their name.
        part (str): Whose accuracy it is; see :func:`images_of_part`. Defaults to ``'test'``.

    Returns:
        list[tuple]: Those of ``PANELS`` of which a run has recorded anything, the first with its name in full.
    """
    recorded = [panel for panel in PANELS if any(panel[1] in record.scalars for record in records.values())]
    return [(label.format(part=part).strip(), *panel) for label, *panel in recorded]


def plot_curves(records: Mapping[str, RunRecord], path: str | Path, title: str = '', part: str = 'test') -> None:
    """Draw accuracy, memorisation, noise rate, detection and losses of runs beside one another.

    Of one run all terms of the loss are drawn, of several their sums.

    Args:
        records (Mapping[str, RunRecord]): Runs by the name they are to bear.
        path (str | Path): Picture to write; its suffix tells the format.
        title (str): Title of the picture. Defaults to ''.
        part (str): See :func:`panels_of`. Defaults to ``'test'``.

    Raises:
        ValueError: If no run has recorded any of them.
    """
    from matplotlib.figure import Figure

    panels = panels_of(records, part)
    has_losses = any(record.losses for record in records.values())
    count = len(panels) + has_losses
    if not count:
        raise ValueError(f'none of {", ".join(records)} has recorded {", ".join(p[1] for p in PANELS)} or losses')
    rows = 1 if count <= 3 else 2
    columns = -(-count // rows)
    # Beyond a few runs their names would hide the lines.
    below = -(-len(records) // (2 * columns)) if len(records) > FEW else 0
    figure = Figure(figsize=(4.2 * columns, 0.2 + 3.2 * rows + 0.2 * below), layout='constrained')
    figure.suptitle(plain(title))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, panel in zip(axes, panels, strict=False):
        draw_panel(axis, records, *panel)
    if has_losses:
        _draw_losses(axes[len(panels)], records)
    for axis in axes[count:]:
        axis.remove()
    if below:
        name_runs(figure, records, loc='outside lower center', ncols=2 * columns)
    elif len(records) > 1:
        name_runs(axes[0], records)
    save(figure, path)


def name_runs(owner: 'Axes | Figure', records: Mapping[str, RunRecord], **arguments: Any) -> None:
    """Say which colour is which run.

    Args:
        owner (matplotlib.axes.Axes | matplotlib.figure.Figure): Where the legend goes.
        records (Mapping[str, RunRecord]): Runs by the name they are to bear.
        **arguments: Others of matplotlib's ``legend``.
    """
    from matplotlib.lines import Line2D

    # Lines made for it: a run may have none in the first panel.
    handles = [Line2D([], [], **series_style(position)) for position in range(len(records))]
    add_legend(owner, handles, [plain(name) for name in records], **arguments)


def draw_panel(
    axis: 'Axes', records: Mapping[str, RunRecord], label: str, name: str, beside: str | None, factor: int
) -> None:
    """Draw one scalar of all runs, and what is measured beside it.

    Args:
        axis (matplotlib.axes.Axes): Where to draw.
        records (Mapping[str, RunRecord]): Runs by the name they are to bear.
        label (str): What is written beside the axis; this and the others are what
            :func:`panels_of` gives.
        name (str): The scalar.
        beside (str, optional): Scalar to dash beside it.
        factor (int): What both are multiplied by.
    """
    runs = [
        _draw_line(axis, record.scalars.get(name), factor, **series_style(position))
        for position, record in enumerate(records.values())
    ]
    # All runs of one noise have one measured rate, and dashes over dashes make no dashes: the longest line for all.
    found = sorted((record.scalars.get(beside or '', {}) for record in records.values()), key=len)
    measured = {frozenset(values.values()): values for values in found if values}
    rates = [
        _draw_line(axis, values, factor, color='black', linestyle='--', linewidth=1) for values in measured.values()
    ]
    axis.set_ylim(0, 101)
    _finish(axis, label)
    if rates:
        named = {'not trusted': runs[0]} if len(runs) == 1 else {}  # the names of several are in the first panel
        shown = {text: line for text, line in (named | {'wrong': rates[0]}).items() if line is not None}
        add_legend(axis, list(shown.values()), list(shown))


def _draw_losses(axis: 'Axes', records: Mapping[str, RunRecord]) -> None:
    """Terms of the loss of one run, or the sums of several."""
    single = len(records) == 1
    names = sorted(next(iter(records.values())).losses) if single else ['loss']
    for position, (run, name) in enumerate((run, name) for run in records for name in names):
        label = name.removeprefix('loss_').replace('_', ' ') if name != 'loss' else 'sum'
        _draw_line(axis, records[run].losses.get(name), 1, label=label, **series_style(position))
    _finish(axis, 'training loss')
    if single and len(names) > 1:
        axis.legend(fontsize='small')


def _draw_line(axis: 'Axes', values: Mapping[int, float] | None, factor: float, **style: Any) -> 'Line2D | None':
    if not values:
        return None
    epochs = sorted(values)
    # A single point makes no line.
    marker = '.' if len(epochs) == 1 else None
    (line,) = axis.plot(epochs, [factor * values[e] for e in epochs], marker=marker, **style)
    return line


def _finish(axis: 'Axes', label: str) -> None:
    axis.set(xlabel='epoch', ylabel=label)
    locator: Any = axis.xaxis.get_major_locator()
    locator.set_params(integer=True)
    axis.grid(alpha=0.3)
