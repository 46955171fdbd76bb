# SPDX-License-Identifier: Apache-2.0
"""Which classes are taken for which."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmpretrain.evaluation import ConfusionMatrix

from .style import class_names, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Of more classes than this there is no room for numbers and names.
MOST_NUMBERS = 20


def draw_confusion(
    predicted: np.ndarray, labels: np.ndarray, num_classes: int, classes: Sequence[str] | None = None, title: str = ''
) -> 'Figure':
    """Draw a confusion matrix, in per cent of each class's samples.

    Args:
        predicted (np.ndarray): Predicted classes, int64, shape (N,).
        labels (np.ndarray): Labels, int64, shape (N,).
        num_classes (int): Number of classes K.
        classes (Sequence[str], optional): Their names. Defaults to None, numbers.
        title (str): Title of the picture. Defaults to ''.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    from matplotlib.figure import Figure

    counts = ConfusionMatrix.calculate(torch.from_numpy(predicted), torch.from_numpy(labels), num_classes).numpy()
    share = 100 * counts / counts.sum(axis=1, keepdims=True).clip(min=1)
    side = 2 + 0.45 * num_classes if num_classes <= MOST_NUMBERS else 8
    figure = Figure(figsize=(max(4, side) + 0.8, max(4, side)), layout='constrained')
    axis = figure.subplots()
    picture = axis.imshow(share, cmap='Blues', vmin=0, vmax=100)
    axis.set(xlabel='predicted class', ylabel='label')
    figure.suptitle(plain(title), fontsize='medium', wrap=True)
    if num_classes <= MOST_NUMBERS:
        names = class_names(classes, num_classes)
        turned: dict[str, Any] = dict(rotation=90) if max(map(len, names)) > 2 else {}
        axis.set_xticks(range(num_classes), names, **turned)
        axis.set_yticks(range(num_classes), names)
        _write_numbers(axis, share)
    figure.colorbar(picture, ax=axis, label="% of the class's samples", shrink=0.8)
    return figure


def _write_numbers(axis: 'Axes', share: np.ndarray) -> None:
    for (row, column), value in np.ndenumerate(share):
        if value >= 0.5:
            color = 'white' if value > 55 else 'black'
            axis.text(column, row, f'{value:.0f}', ha='center', va='center', color=color, fontsize='small')
