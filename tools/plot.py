# SPDX-License-Identifier: Apache-2.0
"""Draw runs: ``python tools/plot.py WORK_DIR [NAME=WORK_DIR ...] --out curves.png``; ``--kind`` draws more."""

import sys
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tcl_plugin.cli import BUILDING, Parser
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.evaluation import TABLE_NAME
from tcl_plugin.explain import explain_checkpoint
from tcl_plugin.reports import (
    doubtful_images,
    draw_overview,
    images_of_part,
    mixture_of,
    plot_curves,
    read_config,
    read_record,
    save,
    title_of,
)
from tcl_plugin.reports.audit import read_audit
from tcl_plugin.reports.style import SUFFIXES
from tcl_plugin.run_pictures import KINDS, MOST_IMAGES, NEED_TABLE, NEED_TEST, OpenRun, detector_of
from tcl_plugin.saved_run import has_test_images

EXPLAINERS = (*BUILDING, explain_checkpoint)


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.

    Raises:
        UserError: If two runs have the same name, or the output does not suit.
    """
    parser = Parser(
        prog='plot.py',
        description='Draw accuracy, memorisation, detection and losses over the epochs; the scores of the labels; the '
        'images whose labels are most doubtful; the representations; or the confusion matrix of the test set.',
    )
    parser.add_argument(
        'runs', nargs='+', metavar='[NAME=]WORK_DIR', help='work directory of a run, and its name in the legend'
    )
    parser.add_argument(
        '--out', required=True, metavar='FILE', help='picture to write, .png, .svg or .pdf; a folder with --kind all'
    )
    parser.add_argument(
        '--kind',
        choices=('curves', 'overview', *KINDS, 'all'),
        default='curves',
        help='what to draw; default: curves. curves and overview take several runs; overview adds what the first of '
        'them doubts. gallery and overview need the data, tsne and confusion the checkpoint too',
    )
    parser.add_argument('--format', choices=('png', 'svg', 'pdf'), default='png', help='of --kind all; default: png')
    parser.add_argument('--title', help='title; default: method, data and noise')
    parser.add_argument('--device', help='where the network runs; default: the accelerator, if there is one')
    args = parser.parse_args(argv)
    pairs = [split_name(run) for run in args.runs]
    folders = dict(pairs)
    if len(folders) < len(pairs):
        raise UserError('two runs have the same name: tell them apart by NAME=WORK_DIR')
    args.runs = folders
    check_out(args)
    return args


def split_name(run):
    """Take ``NAME=WORK_DIR`` apart. The path of a folder may have the sign in it.

    Args:
        run (str): What was typed.

    Returns:
        tuple[str, str]: Name, by default that of the folder, and work directory.
    """
    name, sign, folder = run.partition('=')
    if not sign or Path(run).is_dir():
        return Path(run).name, run
    return name or Path(folder).name, folder


def check_out(args):
    """Refuse what would fail only after the network has run.

    Args:
        args (argparse.Namespace): The parsed arguments.

    Raises:
        UserError: If ``--out`` does not suit the kind, or there are too many runs for it.
    """
    out = Path(args.out)
    if args.kind == 'all':
        if out.suffix.lower() in SUFFIXES or out.is_file():
            raise UserError(f'--out {out}: --kind all writes several pictures and needs a folder')
        return
    if out.suffix.lower() not in SUFFIXES:
        raise UserError(f'--out {out}: must be a {", ".join(SUFFIXES)} file')
    if args.kind in KINDS and len(args.runs) > 1:
        raise UserError(f'--kind {args.kind} draws one run, got {", ".join(args.runs)}')


def draw_curves(args, path):
    """Draw the curves of all runs.

    Args:
        args (argparse.Namespace): The parsed arguments.
        path (Path): Picture to write.
    """
    records = {name: read_record(folder) for name, folder in args.runs.items()}
    plot_curves(records, path, common_title(args), validated_images(args))
    print(path)


def validated_images(args):
    """Say which images the accuracy of all runs is about.

    Args:
        args (argparse.Namespace): The parsed arguments.

    Returns:
        str: Such as ``'test'``; '' where runs differ.
    """
    configs = [config_of(folder) for folder in args.runs.values() if has_config(folder)]
    parts = {images_of_part(cfg, 'val') for cfg in configs if cfg is not None and cfg.get('val_dataloader')}
    return parts.pop() if len(parts) == 1 else '' if parts else 'test'


def config_of(folder):
    """Read the config of a run.

    Args:
        folder (str): Its work directory.

    Returns:
        Config, optional: The config; None where what lies there is none. Curves need none, and a record alone is taken
        for that of a test set.
    """
    try:
        return read_config(Path(folder), to_build=False)[1]
    except ValueError:
        return None


def has_config(folder):
    """Tell whether a work directory has a config.

    Args:
        folder (str): The work directory.

    Returns:
        bool: True if so.
    """
    return any(Path(folder).glob('*.py'))


def common_title(args):
    """Say what all runs are.

    Args:
        args (argparse.Namespace): The parsed arguments.

    Returns:
        str: The title; '' where they have several.
    """
    if args.title is not None:
        return args.title
    # Curves need no config; without one there is no title, and several titles are none.
    titles = {title_of(folder) for folder in args.runs.values() if has_config(folder)}
    return titles.pop() if len(titles) == 1 else ''


def draw_all_in_one(args):
    """Draw the curves of all runs, and what the first of them doubts.

    Args:
        args (argparse.Namespace): The parsed arguments.
    """
    records = {name: read_record(folder) for name, folder in args.runs.items()}
    first = next(iter(args.runs.values()))
    audit = read_audit(first)
    table = audit.table
    mixture = mixture_of(detector_of(first), table.scores, table.given_label)
    cells = doubtful_images(audit, MOST_IMAGES)
    save(draw_overview(records, table, mixture, cells, common_title(args), validated_images(args)), args.out)
    print(args.out)


def draw_all(args):
    """Draw every kind: the curves of all runs in one picture, and the others of each run.

    Args:
        args (argparse.Namespace): The parsed arguments.
    """
    out = Path(args.out)
    draw_curves(args, out / f'curves.{args.format}')
    for name, folder in args.runs.items():
        run = OpenRun(folder, args.title, args.device)
        for kind, draw_kind in KINDS.items():
            if kind in NEED_TABLE and not (run.work_dir / TABLE_NAME).is_file():
                print(f'left out: {kind}: {folder} has no {TABLE_NAME}', file=sys.stderr)
                continue
            if kind in NEED_TEST and not has_test_images(run.network[0]):
                print(f'left out: {kind}: {folder} has no images to test', file=sys.stderr)
                continue
            path = (out / name if len(args.runs) > 1 else out) / f'{kind}.{args.format}'
            save(draw_kind(run), path)
            print(path)


def draw(argv=None):
    """Draw as the command line says.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
    """
    args = parse_args(argv)
    with explained(*EXPLAINERS):
        if args.kind == 'all':
            draw_all(args)
        elif args.kind == 'curves':
            draw_curves(args, args.out)
        elif args.kind == 'overview':
            draw_all_in_one(args)
        else:
            (folder,) = args.runs.values()
            save(KINDS[args.kind](OpenRun(folder, args.title, args.device)), args.out)
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
