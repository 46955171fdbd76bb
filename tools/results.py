# SPDX-License-Identifier: Apache-2.0
"""Put the results of many runs into one table: ``python tools/results.py work_dirs/sweep``."""

import sys
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tcl_plugin.atomic import write_text
from tcl_plugin.cli import Parser
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.explain import explain_files
from tcl_plugin.reports import find_runs, read_run
from tcl_plugin.reports.tables import (
    VALUES,
    methods_against_noises,
    one_row_each,
    one_row_each_method,
    to_csv,
    to_latex,
    to_markdown,
)

FORMATS = dict(markdown=to_markdown, csv=to_csv, latex=to_latex)


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.
    """
    parser = Parser(
        prog='results.py',
        description='Put the results of runs into one table: last and best accuracy in validation, mean '
        'over the last ten epochs, that of the epoch which noisy labels held out select, that of nearest neighbours, '
        'noise detection, time, device, commit and command; mean ± standard deviation over seeds.',
    )
    parser.add_argument('folders', nargs='+', help='work directories, or folders above them')
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument('--each', action='store_true', help='one row for each run, not for all seeds of a method')
    shape.add_argument(
        '--pivot', choices=VALUES, metavar='VALUE', help=f'methods against noises; one of {", ".join(VALUES)}'
    )
    parser.add_argument('--format', choices=FORMATS, default='markdown', help='default: markdown')
    parser.add_argument('--unfinished', action='store_true', help='also runs that have not trained all their epochs')
    parser.add_argument('--out', metavar='FILE', help='write the table to this file, not to the terminal')
    return parser.parse_args(argv)


def read_runs(folders, unfinished=False):
    """Read the runs below folders, and tell on stderr which ones are left out.

    Args:
        folders (list[str]): The folders.
        unfinished (bool): Whether to keep runs that have not trained all their epochs. Defaults to False.

    Returns:
        list[Run]: The runs.

    Raises:
        UserError: If there is none.
    """
    runs = []
    with explained(lambda error: str(error) if isinstance(error, FileNotFoundError) else None):
        work_dirs = find_runs(folders)
    for work_dir in work_dirs:
        try:
            run = read_run(work_dir)
        except (ValueError, FileNotFoundError) as error:  # nothing has been evaluated yet, or half of it copied
            print(f'left out: {error}', file=sys.stderr)
            continue
        if run.finished or unfinished:
            runs.append(run)
        else:
            print(f'left out: {work_dir} has trained {run.epochs} of {run.max_epochs} epochs', file=sys.stderr)
    if not runs:
        raise UserError(f'no finished training with a measured accuracy in {", ".join(folders)}')
    return runs


def make_table(runs, args):
    """Make the table that the command line asks for.

    Args:
        runs (list[Run]): The runs.
        args (argparse.Namespace): The parsed arguments.

    Returns:
        str: The text.
    """
    if args.pivot:
        table = methods_against_noises(runs, args.pivot)
    else:
        table = one_row_each(runs) if args.each else one_row_each_method(runs)
    return FORMATS[args.format](table)


def results(argv=None):
    """Print or write the table.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
    """
    args = parse_args(argv)
    runs = read_runs(args.folders, args.unfinished)
    with explained(lambda error: str(error) if isinstance(error, ValueError) else None):
        text = make_table(runs, args)
    if args.out:
        with explained(explain_files):
            Path(args.out).parent.mkdir(parents=True, exist_ok=True)
            write_text(args.out, text)
    else:
        print(text, end='')


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(results, argv)


if __name__ == '__main__':
    sys.exit(main())
