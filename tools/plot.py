# SPDX-License-Identifier: Apache-2.0
"""Draw runs over their epochs: ``python tools/plot.py WORK_DIR [NAME=WORK_DIR ...] --out curves.png``."""

import sys
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tcl_plugin.cli import Parser
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.explain import explain_files, explain_validation
from tcl_plugin.reports import plot_curves, read_record


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.

    Raises:
        UserError: If two runs have the same name.
    """
    parser = Parser(prog='plot.py', description='Draw accuracy, memorisation and detection over the epochs.')
    parser.add_argument(
        'runs', nargs='+', metavar='[NAME=]WORK_DIR', help='work directory of a run, and its name in the legend'
    )
    parser.add_argument('--out', required=True, metavar='FILE', help='picture to write, such as curves.png')
    parser.add_argument('--title', default='', help='title of the picture')
    args = parser.parse_args(argv)
    pairs = [run.rpartition('=') for run in args.runs]
    folders = {name or Path(folder).name: folder for name, _, folder in pairs}
    if len(folders) < len(pairs):
        raise UserError('two runs have the same name: tell them apart by NAME=WORK_DIR')
    args.runs = folders
    return args


def draw(argv=None):
    """Draw as the command line says.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
    """
    args = parse_args(argv)
    with explained(explain_files, explain_validation):
        records = {name: read_record(folder) for name, folder in args.runs.items()}
        plot_curves(records, args.out, args.title)
    print(args.out)


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(draw, argv)


if __name__ == '__main__':
    sys.exit(main())
