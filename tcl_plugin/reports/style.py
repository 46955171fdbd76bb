# SPDX-License-Identifier: Apache-2.0
"""What all pictures have in common: colours, titles and how they are saved."""

import contextlib
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atomic import beside
from .records import pieces_in, read_piece_info
from .runs import NAME, name_noise, read_config

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

SUFFIXES = ('.png', '.svg', '.pdf')
# For letters that matplotlib's own font lacks, as far as they are installed.
FONTS = (
    *(f'Noto Sans CJK {region}' for region in ('SC', 'TC', 'JP', 'KR')),
    *('Source Han Sans SC', 'WenQuanYi Micro Hei', 'WenQuanYi Zen Hei', 'Microsoft YaHei', 'SimHei', 'PingFang SC'),
    *('Yu Gothic', 'Hiragino Sans', 'Malgun Gothic', 'Apple SD Gothic Neo', 'Arial Unicode MS'),
    *(f'Noto Sans {script}' for script in ('Arabic', 'Hebrew', 'Devanagari', 'Bengali', 'Tamil', 'Thai')),
)
# Told apart with any colour vision: Okabe and Ito, Color Universal Design, https://jfly.uni-koeln.de/color/
SERIES = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
CLEAN, WRONG = SERIES[0], SERIES[1]
# The same for points of up to ten classes, without a grey: Paul Tol, Colour schemes ("muted"), and black.
CLASSES = (
    *('#332288', '#88CCEE', '#44AA99', '#117733', '#999933'),
    *('#DDCC77', '#CC6677', '#882255', '#AA4499', '#000000'),
)
CROSS = '#8A8A8A'
# Letters that no font here has, as far as this process has said so.
_TOLD: set[str] = set()


def series_style(position: int) -> dict:
    """Colour and dashes of one of several lines.

    Args:
        position (int): Which of them, from 0. Beyond the number of colours they come again, dashed.

    Returns:
        dict: Arguments of matplotlib's ``plot``.
    """
    dashes = ('-', '--', ':', '-.')
    again, color = divmod(position, len(SERIES))
    return dict(color=SERIES[color], linestyle=dashes[again % len(dashes)])


def class_colors(num_classes: int) -> np.ndarray:
    """Colours of classes.

    Args:
        num_classes (int): K.

    Returns:
        np.ndarray: Red, green, blue and opacity in [0, 1], shape (K, 4). Up to ten are told apart by
        name; more run through one scale, in order.
    """
    from matplotlib import colormaps
    from matplotlib.colors import to_rgba_array

    if num_classes <= len(CLASSES):
        return to_rgba_array(CLASSES[:num_classes])
    return colormaps['viridis'](np.linspace(0, 1, num_classes))


def class_names(classes: Sequence[str] | None, num_classes: int) -> list[str]:
    """Names to write into a picture.

    Args:
        classes (Sequence[str], optional): Names of the classes, where they have such.
        num_classes (int): K.

    Returns:
        list[str]: The names, shortened to twelve letters, or numbers.
    """
    names = [str(name) for name in classes or range(num_classes)]
    return [plain(name if len(name) <= 12 else f'{name[:11]}…') for name in names]


def plain(text: str) -> str:
    """Keep matplotlib from looking for a formula between dollars.

    Args:
        text (str): A text that others have chosen, such as the name of a class.

    Returns:
        str: What shows as this text.
    """
    return text.replace('$', '\\$')


def add_legend(owner: 'Axes | Figure', handles: Sequence['Line2D'], names: Sequence[str], **arguments: Any) -> None:
    """Name lines, whatever their names begin with.

    Args:
        owner (matplotlib.axes.Axes | matplotlib.figure.Figure): Where the legend goes.
        handles (Sequence[matplotlib.lines.Line2D]): The lines.
        names (Sequence[str]): Their names.
        **arguments: Others of matplotlib's ``legend``.
    """
    # Written afterwards: up to matplotlib 3.9 a legend leaves out what begins with an underscore.
    legend = owner.legend(handles, [str(i) for i in range(len(names))], fontsize='small', **arguments)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)


def title_of(work_dir: str | Path) -> str:
    """Say what a run was: method, network and data, noise.

    Args:
        work_dir (str | Path): Its work directory.

    Returns:
        str: Such as ``'tcl · r18 cifar10 · sym80'``.

    Raises:
        FileNotFoundError: If there is no config.
    """
    name, cfg = read_config(Path(work_dir), to_build=False)
    said = NAME.fullmatch(name)
    parts = [said['method'], said['setting'].replace('_', ' ')] if said else [name]
    pieces = pieces_in(Path(work_dir))
    return ' · '.join([*parts, name_noise(cfg, read_piece_info(pieces[-1]) if pieces else None)])


@contextlib.contextmanager
def _lettered(figure: 'Figure') -> Iterator[None]:
    """Draw names in any script that a font here has, and say once in a process which letters none has."""
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    installed = {font.name for font in fontManager.ttflist}
    fonts = [name for name in FONTS if name in installed]
    for text in figure.findobj(Text):
        if isinstance(text, Text) and not text.get_text().isascii():
            text.set_fontfamily([*text.get_fontfamily(), *fonts])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        yield
    missing = set()
    for warning in caught:
        found = re.match(r'Glyph (\d+) .*missing from ', str(warning.message))
        if found:
            missing.add(chr(int(found[1])))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if missing - _TOLD:
        letters = ''.join(sorted(missing - _TOLD))
        _TOLD.update(missing)
        print(
            f'warning: no font here has {letters!r}, which show as boxes: install one, such as Noto Sans CJK',
            file=sys.stderr,
        )


def save(figure: 'Figure', path: str | Path) -> None:
    """Write a picture in the format that its suffix names.

    Args:
        figure (matplotlib.figure.Figure): The picture.
        path (str | Path): The file; its folder is made where missing.

    Raises:
        ValueError: If the suffix is none of ``SUFFIXES``.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f'{path}: pictures are written to {", ".join(SUFFIXES)} files')
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path) as temporary, _lettered(figure):
        figure.savefig(temporary, dpi=150, format=path.suffix[1:].lower())


def to_array(figure: 'Figure') -> np.ndarray:
    """Draw a picture into memory.

    Args:
        figure (matplotlib.figure.Figure): The picture.

    Returns:
        np.ndarray: Red, green and blue, uint8, shape (H, W, 3).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    with _lettered(figure):
        canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
