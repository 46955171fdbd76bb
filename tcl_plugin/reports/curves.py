# SPDX-License-Identifier: Apache-2.0
"""Curves over the epochs of one run or several."""

from collections.abc import Mapping
from pathlib import Path

from .records import ACCURACY, RunRecord

# (scalar, title, factor to per cent); a scalar that no run has recorded gets no panel.
PANELS = (
    (ACCURACY, 'test accuracy (%)', 1),
    ('label_noise/wrong_labels_fitted', 'wrong labels fitted (%)', 100),
    ('label_noise/auc', 'AUC of noise detection (%)', 100),
)


def plot_curves(records: Mapping[str, RunRecord], path: str | Path, title: str = '') -> None:
    """Draw test accuracy, memorisation and detection of runs beside one another.

    Args:
        records (Mapping[str, RunRecord]): Runs by the name they are to bear.
        path (str | Path): Picture to write; its suffix tells the format.
        title (str): Title of the picture. Defaults to ''.

    Raises:
        ValueError: If no run has recorded any of the three.
    """
    from matplotlib.figure import Figure

    panels = [panel for panel in PANELS if any(panel[0] in r.scalars for r in records.values())]
    if not panels:
        raise ValueError(f'none of {", ".join(records)} has recorded {", ".join(p[0] for p in PANELS)}')
    figure = Figure(figsize=(4.2 * len(panels), 3.4), layout='constrained')
    figure.suptitle(title)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axis, (name, label, factor) in zip(axes, panels, strict=True):
        for position, (run, record) in enumerate(records.items()):
            values = record.scalars.get(name, {})
            if values:
                epochs = sorted(values)
                axis.plot(epochs, [factor * values[e] for e in epochs], label=run, color=f'C{position}')
        axis.set(xlabel='epoch', ylabel=label)
        axis.set_ylim(0, 100)
        axis.grid(alpha=0.3)
    axes[0].legend()
    figure.savefig(path, dpi=120)
