# SPDX-License-Identifier: Apache-2.0
"""Tables of many runs: one row for each, for each method over seeds, or methods against noises."""

import csv
import io
import statistics
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from ..evaluation import escape_cell
from .runs import Run

# (attribute, title, number of decimals, factor); of figures that are averaged over seeds.
FIGURES = (
    ('noise_rate', 'labels wrong (%)', 1, 100),
    ('last', 'last (%)', 1, 1),
    ('best', 'best (%)', 1, 1),
    ('tail', 'last 10 (%)', 1, 1),
    ('selected', 'selected (%)', 1, 1),
    ('knn', 'k-NN (%)', 1, 1),
    ('auc', 'AUC', 3, 1),
    ('estimated', 'not trusted (%)', 1, 100),
    ('fitted', 'fitted (%)', 1, 100),
    ('seconds', 'time (s)', 0, 1),
)
VALUES = tuple(figure[0] for figure in FIGURES)
# Figures of hooks that few runs have: where none does, others need no column for them.
OF_FEW = ('selected', 'knn')

# Columns that say how a row was made.
MADE_BY = ('device', 'commit', 'command')
# What LaTeX reads as commands, and other characters of tables.
LATEX = str.maketrans(
    {char: f'\\{char}' for char in '&%$#_{}'}
    | {'\\': r'\textbackslash{}', '~': r'\textasciitilde{}', '^': r'\textasciicircum{}', '±': r'$\pm$'}
)

Table = list[list[str]]


def one_row_each(runs: Sequence[Run]) -> Table:
    """Make a table with a row for each run.

    Args:
        runs (Sequence[Run]): The runs.

    Returns:
        Table: Rows of cells, the title first.
    """
    return _table([[run] for run in sorted(runs, key=_key)])


def one_row_each_method(runs: Sequence[Run]) -> Table:
    """Make a table with a row for all seeds of a method on the same data, noise and epochs.

    Args:
        runs (Sequence[Run]): The runs.

    Returns:
        Table: Rows of cells, the title first. A seed stands for training and noise, unless another of the noise
        stands behind it. Figures of several seeds are mean ± standard deviation
        (of the sample, n - 1); behind them stands of how many, where not all have the figure.

    Raises:
        ValueError: If two runs have the same recipe and seed.
    """
    return _table(_by_seed(runs))


def methods_against_noises(runs: Sequence[Run], value: str = 'last') -> Table:
    """Make a table with a row for each method and setting, and a column for each noise.

    Args:
        runs (Sequence[Run]): The runs.
        value (str): Which of :data:`VALUES` to show. Defaults to ``'last'``.

    Returns:
        Table: Rows of cells, the title first; a cell is empty where there is no run.

    Raises:
        ValueError: If there is no such value, or two runs compete for one cell.
    """
    if value not in VALUES:
        raise ValueError(f'value must be one of {", ".join(VALUES)}, got {value!r}')
    figure = FIGURES[VALUES.index(value)]
    noises = sorted({run.noise for run in runs})
    cells: dict[tuple, dict[str, list[Run]]] = {}
    for group in _by_seed(runs):
        row = cells.setdefault((group[0].setting, group[0].method, _length(group[0])), {})
        if group[0].noise in row:
            others = [str(run.work_dir) for run in (row[group[0].noise][0], group[0])]
            raise ValueError(
                f'{" and ".join(others)} have one name and different recipes: a pivot has one cell for both'
            )
        row[group[0].noise] = group
    title = ['data', 'method', 'epochs', *noises]
    return [title] + [
        [setting, method, str(epochs), *(_cell(row.get(noise, []), figure) for noise in noises)]
        for (setting, method, epochs), row in cells.items()
    ]


def _by_seed(runs: Sequence[Run]) -> list[list[Run]]:
    """Group runs that differ in the seed alone."""
    groups = [list(group) for _, group in groupby(sorted(runs, key=_key), key=lambda run: _key(run)[:-1])]
    for group in groups:
        for one, other in pairwise(group):
            if one.seed is not None and (one.seed, one.data_seeds) == (other.seed, other.data_seeds):
                raise ValueError(
                    f'{one.work_dir} and {other.work_dir} are the same training with the same seed: leave one of them '
                    'out (--each gives each run a row of its own)'
                )
    return groups


def _key(run: Run) -> tuple:
    seeds = -1 if run.seed is None else run.seed, run.data_seeds
    return run.setting, run.noise, _length(run), run.method, run.recipe, seeds


def _length(run: Run) -> int:
    """Number of epochs; of a run that was stopped early that which was asked for, so that seeds stay together."""
    return run.max_epochs if run.stopped_early else run.epochs


def _epochs(group: list[Run]) -> str:
    found = sorted({run.epochs for run in group})
    text = str(found[0]) if len(found) == 1 else f'{found[0]} to {found[-1]}'
    if any(run.stopped_early for run in group):
        text += ', stopped early'
    return f'{text}, changed on the way' if group[0].changed else text


def _table(groups: list[list[Run]]) -> Table:
    runs = [run for group in groups for run in group]
    absent = {name for name in OF_FEW if all(getattr(run, name) is None for run in runs)}
    figures = [figure for figure in FIGURES if figure[0] not in absent]
    title = ['method', 'data', 'noise', 'seeds', 'epochs', *(figure[1] for figure in figures)]
    return [[*title, *MADE_BY]] + [_row(group, figures) for group in groups]


def _row(group: list[Run], figures: list[tuple]) -> list[str]:
    """One row for the runs of several seeds."""
    first = group[0]
    return [
        first.method,
        first.setting,
        first.noise,
        ' '.join(map(_seeds, group)),
        _epochs(group),
        *(_cell(group, figure) for figure in figures),
        *(_same(getattr(run, name) for run in group) for name in ('device', 'commit')),
        first.command or '',
    ]


def _seeds(run: Run) -> str:
    """The seed of training, and those of noise and data where they are others."""
    seed = '?' if run.seed is None else str(run.seed)
    others = sorted({str(other) for other in run.data_seeds} - {seed})
    return f'{seed} (data {", ".join(others)})' if others else seed


def _cell(group: list[Run], figure: tuple) -> str:
    """Mean ± standard deviation of one figure, or the figure itself of one run."""
    name, _, decimals, factor = figure
    values = [factor * value for run in group if (value := getattr(run, name)) is not None]
    if not values:
        return ''
    text = f'{statistics.mean(values):.{decimals}f}'
    if len(values) > 1:
        text += f' ± {statistics.stdev(values):.{decimals}f}'
    return text if len(values) == len(group) else f'{text} (of {len(values)})'


def _same(values: Iterable[str | None]) -> str:
    """What all have in common, or all that there is."""
    return ', '.join(dict.fromkeys(value for value in values if value))


def to_markdown(table: Table) -> str:
    """Write a table as Markdown.

    Args:
        table (Table): Rows of cells, the title first.

    Returns:
        str: The text.
    """
    rows = [[cell.replace('|', '\\|') for cell in row] for row in table]
    lines = [f'| {" | ".join(row)} |' for row in rows]
    return '\n'.join([lines[0], '|' + '---|' * len(table[0]), *lines[1:]]) + '\n'


def to_csv(table: Table) -> str:
    """Write a table as CSV. Cells that a spreadsheet would take for a formula are escaped, see :func:`escape_cell`.

    Args:
        table (Table): Rows of cells, the title first.

    Returns:
        str: The text.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows([escape_cell(cell) for cell in row] for row in table)
    return text.getvalue()


def to_latex(table: Table) -> str:
    """Write a table as LaTeX, with the rules of the package booktabs.

    Args:
        table (Table): Rows of cells, the title first.

    Returns:
        str: The text. What says how rows were made stands above the table, in comments.
    """
    made_by = [place for place, title in enumerate(table[0]) if title in MADE_BY]
    shown = [place for place in range(len(table[0])) if place not in made_by]
    # What a run has recorded may have several lines, and a comment ends with its line.
    origins = [' '.join(', '.join(row[place] for place in [0, *made_by]).split()) for row in table[1:] if made_by]
    title, *rows = [' & '.join(row[place].translate(LATEX) for place in shown) + r' \\' for row in table]
    begin = rf'\begin{{tabular}}{{{"l" * len(shown)}}}'
    lines = [
        *(f'% {origin}' for origin in origins),
        begin,
        r'\toprule',
        title,
        r'\midrule',
        *rows,
        r'\bottomrule',
        r'\end{tabular}',
    ]
    return '\n'.join(lines) + '\n'
