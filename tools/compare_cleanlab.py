# SPDX-License-Identifier: Apache-2.0
"""Compare how well wrong labels are found with cleanlab: ``python tools/compare_cleanlab.py WORK_DIR...``."""

import contextlib
import logging
import statistics
import sys
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.logging import MMLogger
from sklearn.metrics import f1_score

from tcl_plugin.cli import BUILDING, Parser
from tcl_plugin.detection import LabelPosterior
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.evaluation import TABLE_NAME, detection_metrics, read_label_table
from tcl_plugin.explain import explain_checkpoint
from tcl_plugin.reports.tables import to_markdown
from tcl_plugin.saved_run import open_run, training_outputs, training_set

# What cleanlab can call wrong, its default first; with the quality of labels that it ranks such by.
FILTERS = {
    'prune_by_noise_rate': 'self_confidence',
    'both': 'self_confidence',
    'confident_learning': 'self_confidence',
    'low_self_confidence': 'self_confidence',
    'low_normalized_margin': 'normalized_margin',
}
TITLE = ['by', 'AUC', 'precision', 'recall', 'F1', 'called wrong (%)']


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.
    """
    parser = Parser(
        prog='compare_cleanlab.py',
        description='Compare how well wrong labels are found with cleanlab, on the same predictions of the same runs, '
        'whose true labels must be known. Several runs give mean ± standard deviation.',
    )
    parser.add_argument('work_dirs', nargs='+', metavar='WORK_DIR', help='work directory of a run with a detector')
    parser.add_argument('--device', default=get_device(), help='default: %(default)s')
    return parser.parse_args(argv)


def by_cleanlab(probs, given):
    """Ask cleanlab which labels are wrong.

    Args:
        probs (np.ndarray): Predictions, shape (N, K).
        given (np.ndarray): Given labels, shape (N,).

    Yields:
        tuple[str, np.ndarray, np.ndarray]: Name of the way, quality of each label, and whether it is called wrong.

    Raises:
        UserError: If cleanlab is not installed.
    """
    try:
        from cleanlab.filter import find_label_issues
        from cleanlab.rank import get_label_quality_scores
    except ImportError as error:
        raise UserError('compare_cleanlab.py needs cleanlab: pip install cleanlab') from error
    # It wants rows that add up to 1 more closely than float32 does.
    probs = probs / probs.sum(axis=1, keepdims=True)
    for name, method in FILTERS.items():
        quality = get_label_quality_scores(given, probs, method=method)
        yield f'cleanlab, {name}', quality, find_label_issues(given, probs, filter_by=name, n_jobs=1)


def by_us(probs, table):
    """What this package calls wrong: in the table of label quality, and by the clean probability in training.

    Args:
        probs (np.ndarray): Predictions, shape (N, K).
        table (LabelTable): The run's table.

    Yields:
        tuple[str, np.ndarray, np.ndarray]: As :func:`by_cleanlab`.
    """
    posterior = LabelPosterior()
    posterior.update(torch.from_numpy(probs), torch.from_numpy(table.given_label))
    quality = posterior.compute().scores.numpy()
    yield 'label_quality', quality, quality < 0.5
    yield 'clean_prob, of the detector', table.scores, table.clean_prob <= 0.5


def compare(work_dir, device):
    """Measure every way on one run.

    Args:
        work_dir (str): Its work directory.
        device (str): Where the network is to run.

    Returns:
        dict[str, list[float]]: Figures by name of the way, as in :data:`TITLE`.

    Raises:
        UserError: If the true labels are not known, or table and checkpoint are not of the same epoch.
    """
    path = Path(work_dir) / TABLE_NAME
    if not path.is_file():
        raise UserError(f'{path} does not exist: a LabelNoiseHook with a detector writes it during training')
    table = read_label_table(path)
    if table.true_label is None or (table.true_label == table.given_label).all():
        raise UserError(f'{path} knows of no label that is wrong: there is nothing to compare')
    cfg, model = open_run(work_dir, device)
    dataset = training_set(cfg)
    outputs = training_outputs(cfg, model, dataset, most=len(dataset))
    if (outputs.predicted != table.predicted_label).mean() > 0.01:
        raise UserError(f'{path} is not of the last checkpoint: the network predicts other classes than the table has')
    wrong = table.given_label != table.true_label
    return {
        name: measure(quality, issue, wrong)
        for name, quality, issue in [*by_us(outputs.probs, table), *by_cleanlab(outputs.probs, table.given_label)]
    }


def measure(quality, issue, wrong):
    """Measure one way on one run.

    Args:
        quality (np.ndarray): Higher means more likely right, shape (N,).
        issue (np.ndarray): Whether a label is called wrong, bool, shape (N,).
        wrong (np.ndarray): Whether it is wrong, bool, shape (N,).

    Returns:
        list[float]: The figures of :data:`TITLE`.
    """
    found = detection_metrics(np.where(issue, 0.0, 1.0), quality, wrong, np.zeros_like(wrong))
    names = ('score_auc', 'precision', 'recall')
    figures = [found.get(name, 0.0) for name in names]
    return [*figures, f1_score(wrong, issue), 100 * issue.mean()]


def to_table(results):
    """Put the figures of several runs together.

    Args:
        results (list[dict[str, list[float]]]): Of each run.

    Returns:
        list[list[str]]: Rows of cells, the title first.
    """

    def cell(values, decimals):
        text = f'{statistics.mean(values):.{decimals}f}'
        return f'{text} ± {statistics.stdev(values):.{decimals}f}' if len(values) > 1 else text

    decimals = (4, 3, 3, 4, 1)
    return [TITLE] + [
        [name, *map(cell, zip(*(result[name] for result in results), strict=True), decimals)] for name in results[0]
    ]


@contextlib.contextmanager
def log_on_stderr():
    """Keep the lines of mmengine's log out of stdout, which is the table's.

    Yields:
        None: Nothing.
    """
    handlers = [
        handler for handler in MMLogger.get_current_instance().handlers if type(handler) is logging.StreamHandler
    ]
    streams = [handler.stream for handler in handlers]
    for handler in handlers:
        handler.stream = sys.stderr
    yield
    for handler, stream in zip(handlers, streams, strict=True):
        handler.stream = stream


def run(argv=None):
    """Compare as the command line says.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
    """
    args = parse_args(argv)
    with explained(*BUILDING, explain_checkpoint), log_on_stderr():
        results = [compare(work_dir, args.device) for work_dir in args.work_dirs]
    print(to_markdown(to_table(results)), end='')


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(run, argv)


if __name__ == '__main__':
    sys.exit(main())
