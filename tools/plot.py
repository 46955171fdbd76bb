# SPDX-License-Identifier: Apache-2.0
"""Draw runs: ``python tools/plot.py WORK_DIR [NAME=WORK_DIR ...] --out curves.png``; ``--kind`` draws more."""

import sys
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmengine.device import get_device
from mmpretrain.registry import TASK_UTILS

from tcl_plugin.cli import BUILDING, Parser
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.evaluation import read_label_table
from tcl_plugin.explain import explain_checkpoint
from tcl_plugin.hooks.label_noise_hook import TABLE_NAME
from tcl_plugin.reports import (
    Points,
    draw_confusion,
    draw_embeddings,
    draw_table,
    plot_curves,
    read_config,
    read_record,
    save,
    title_of,
)
from tcl_plugin.reports.style import SUFFIXES
from tcl_plugin.saved_run import open_run, test_outputs, training_outputs, training_set

MOST_POINTS = 10_000
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
        'representations; or the confusion matrix of the test set.',
    )
    parser.add_argument(
        'runs', nargs='+', metavar='[NAME=]WORK_DIR', help='work directory of a run, and its name in the legend'
    )
    parser.add_argument(
        '--out', required=True, metavar='FILE', help='picture to write, .png, .svg or .pdf; a folder with --kind all'
    )
    parser.add_argument(
        '--kind',
        choices=('curves', *KINDS, 'all'),
        default='curves',
        help='what to draw; default: curves, which take several runs. tsne and confusion need the checkpoint and data',
    )
    parser.add_argument('--format', choices=('png', 'svg', 'pdf'), default='png', help='of --kind all; default: png')
    parser.add_argument('--title', help='title; default: method, data and noise')
    parser.add_argument('--device', help='where the network runs; default: the accelerator, if there is one')
    args = parser.parse_args(argv)
    pairs = [run.rpartition('=') for run in args.runs]
    folders = {name or Path(folder).name: folder for name, _, folder in pairs}
    if len(folders) < len(pairs):
        raise UserError('two runs have the same name: tell them apart by NAME=WORK_DIR')
    args.runs = folders
    check_out(args)
    return args


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
    if args.kind != 'curves' and len(args.runs) > 1:
        raise UserError(f'--kind {args.kind} draws one run, got {", ".join(args.runs)}')


class OpenRun:
    """A run whose network is built and asked at the first use, once for all pictures.

    Args:
        work_dir (str): Its work directory.
        title (str, optional): Title of its pictures. Defaults to None, what the run was.
        device (str, optional): Where the network runs. Defaults to None, the accelerator if there is one.
    """

    def __init__(self, work_dir, title=None, device=None):
        self.work_dir = Path(work_dir)
        self.title = title_of(work_dir) if title is None else title
        self.device = device or get_device()
        self._network = self._test = None

    @property
    def network(self):
        """tuple: Config and network."""
        if self._network is None:
            self._network = open_run(self.work_dir, self.device)
        return self._network

    @property
    def test(self):
        """Outputs: What the network says about the test set."""
        if self._test is None:
            self._test = test_outputs(*self.network)
        return self._test

    @property
    def classes(self):
        """tuple: Number of classes, and their names or None."""
        _, model = self.network
        return model.head.num_classes, model._dataset_meta.get('classes')


def draw_scores(run):
    """Draw the scores in the table of label quality.

    Args:
        run (OpenRun): The run.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    table = read_label_table(run.work_dir / TABLE_NAME)
    _, cfg = read_config(run.work_dir)
    hooks = [hook for hook in cfg.get('custom_hooks') or [] if hook.get('detector')]
    detector = TASK_UTILS.build(hooks[0].detector) if hooks else None
    num_classes = int(table.given_label.max()) + 1
    return draw_table(table, detector, num_classes, run.title)


def draw_tsne(run):
    """Draw the representations of the test set and of the training set.

    Args:
        run (OpenRun): The run.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    cfg, model = run.network
    test = run.test
    shown = Points(test.features, test.predicted, f'{len(test.index)} test images, by predicted class')
    dataset = training_set(cfg)
    train = training_outputs(cfg, model, dataset, MOST_POINTS)
    return draw_embeddings([shown, training_points(run, train, dataset.true_labels)], *run.classes, run.title)


def training_points(run, train, true):
    """Say which training samples to draw how.

    Args:
        run (OpenRun): The run.
        train (Outputs): What the network says about them.
        true (np.ndarray, optional): True labels of the whole training set.

    Returns:
        Points: By true class and with wrong labels where the truth is known; otherwise by predicted class,
        with the labels that the run calls wrong.
    """
    caption = f'{len(train.index)} training images, by '
    if true is not None:
        true = true[train.index]
        return Points(train.features, true, f'{caption}true class', train.labels != true)
    called = None
    if (run.work_dir / TABLE_NAME).is_file():
        called = read_label_table(run.work_dir / TABLE_NAME).is_label_issue[train.index]
    return Points(train.features, train.predicted, f'{caption}predicted class', called, 'given label called wrong')


def draw_matrix(run):
    """Draw the confusion matrix of the test set.

    Args:
        run (OpenRun): The run.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    test, (num_classes, names) = run.test, run.classes
    accuracy = 100 * (test.predicted == test.labels).mean()
    title = f'{run.title}\n{len(test.labels)} test images, accuracy {accuracy:.1f} %'.strip()
    return draw_confusion(test.predicted, test.labels, num_classes, names, title)


KINDS = {'histogram': draw_scores, 'tsne': draw_tsne, 'confusion': draw_matrix}


def draw_curves(args, path):
    """Draw the curves of all runs.

    Args:
        args (argparse.Namespace): The parsed arguments.
        path (Path): Picture to write.
    """
    records = {name: read_record(folder) for name, folder in args.runs.items()}
    title = args.title
    if title is None:
        # Curves need no config; without one there is no title, and several titles are none.
        titles = {title_of(folder) for folder in args.runs.values() if any(Path(folder).glob('*.py'))}
        title = titles.pop() if len(titles) == 1 else ''
    plot_curves(records, path, title)
    print(path)


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
            if kind == 'histogram' and not (run.work_dir / TABLE_NAME).is_file():
                print(f'left out: {kind}: {folder} has no {TABLE_NAME}', file=sys.stderr)
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
