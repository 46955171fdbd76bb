# SPDX-License-Identifier: Apache-2.0
"""Draw runs: ``python tools/plot.py WORK_DIR [NAME=WORK_DIR ...] --out curves.png``; ``--kind`` draws more."""

import sys
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmengine.device import get_device
from mmengine.utils import import_modules_from_strings
from mmpretrain.registry import HOOKS, TASK_UTILS

from tcl_plugin.cli import BUILDING, Parser
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.evaluation import TABLE_NAME, read_label_table
from tcl_plugin.explain import explain_checkpoint
from tcl_plugin.hooks import LabelNoiseHook
from tcl_plugin.reports import (
    Points,
    doubtful_images,
    draw_confusion,
    draw_embeddings,
    draw_gallery,
    draw_overview,
    draw_table,
    mixture_of,
    plot_curves,
    read_config,
    read_record,
    save,
    title_of,
)
from tcl_plugin.reports.audit import read_audit
from tcl_plugin.reports.gallery import caption_of
from tcl_plugin.reports.style import SUFFIXES
from tcl_plugin.saved_run import open_run, test_outputs, training_outputs, training_set

MOST_POINTS = 10_000
MOST_IMAGES = 20
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
    num_classes = int(table.given_label.max()) + 1
    return draw_table(table, detector_of(run.work_dir), num_classes, run.title)


def detector_of(work_dir):
    """Build the detector anew whose scores a run's table has.

    Args:
        work_dir (str | Path): Its work directory.

    Returns:
        BaseDetector, optional: The detector; None where the run has none.
    """
    _, cfg = read_config(Path(work_dir))
    if cfg.get('custom_imports'):  # the detector may be a person's own
        import_modules_from_strings(**cfg.custom_imports)
    # Other hooks have detectors too, such as that which relabels before the second stage of TCL+.
    hooks = [hook for hook in cfg.get('custom_hooks') or [] if hook.get('detector') and writes_table(hook.type)]
    return TASK_UTILS.build(hooks[0].detector) if hooks else None


def writes_table(name):
    """Tell whether it is a hook that writes the table of label quality.

    Args:
        name (str): Its name in the registry.

    Returns:
        bool: True if so.
    """
    kind = HOOKS.get(name)
    return isinstance(kind, type) and issubclass(kind, LabelNoiseHook)


def draw_doubtful(run):
    """Draw the images whose labels a run doubts most.

    Args:
        run (OpenRun): The run.

    Returns:
        matplotlib.figure.Figure: The picture.
    """
    audit = read_audit(run.work_dir)
    cells = doubtful_images(audit, MOST_IMAGES)
    return draw_gallery(cells, f'{run.title}\n{caption_of(cells, len(audit.ranking))}'.strip())


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
    num_classes, names = run.classes
    panels = [shown, training_points(run, train, dataset.true_labels)]
    return draw_embeddings(panels, num_classes, names, run.title)


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


KINDS = {'histogram': draw_scores, 'gallery': draw_doubtful, 'tsne': draw_tsne, 'confusion': draw_matrix}
NEED_TABLE = ('histogram', 'gallery')


def draw_curves(args, path):
    """Draw the curves of all runs.

    Args:
        args (argparse.Namespace): The parsed arguments.
        path (Path): Picture to write.
    """
    records = {name: read_record(folder) for name, folder in args.runs.items()}
    plot_curves(records, path, common_title(args))
    print(path)


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
    titles = {title_of(folder) for folder in args.runs.values() if any(Path(folder).glob('*.py'))}
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
    mixture = mixture_of(detector_of(first), table.scores, table.given_label, len(audit.classes))
    cells = doubtful_images(audit, MOST_IMAGES)
    save(draw_overview(records, table, mixture, cells, common_title(args)), args.out)
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
