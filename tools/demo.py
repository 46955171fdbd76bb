# SPDX-License-Identifier: Apache-2.0
"""See TCL beat plain training on digits with wrong labels: ``python tools/demo.py``, or ``make demo``."""

import re
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tcl_plugin.checkpoints import recorded_checkpoint
from tcl_plugin.cli import SEED, Parser
from tcl_plugin.errors import UserError, run_tool
from tcl_plugin.reports import RunRecord, read_record

TOOLS = Path(__file__).resolve().parent
METHODS = {'TCL': 'tcl_digits_sym80', 'cross-entropy': 'ce_digits_sym80'}
EPOCH = re.compile(r'Epoch\(val\) \[(\d+)\].* accuracy/top1: ([\d.]+)')


@dataclass
class Result:
    """One finished training.

    Attributes:
        record (RunRecord): What it recorded.
        seconds (float): How long it took, with start-up.
    """

    record: RunRecord
    seconds: float


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.
    """
    parser = Parser(prog='demo.py', description='Train TCL and plain cross-entropy on digits, and compare them.')
    parser.add_argument('--seeds', nargs='+', type=SEED, default=[0], help='seeds of noise and training; default: 0')
    parser.add_argument('--work-dir', default='work_dirs/demo', help='folder for the runs; default: work_dirs/demo')
    parser.add_argument(
        '--cfg-options', nargs='+', action='extend', default=[], metavar='KEY=VALUE', help='overrides for both configs'
    )
    return parser.parse_args(argv)


def train(method, seed, work_dir, options):
    """Train one method with ``tools/train.py``, and tell of each epoch on one line.

    Args:
        method (str): A key of ``METHODS``.
        seed (int): Seed of noise and training.
        work_dir (Path): Its work directory.
        options (list[str]): More overrides of the config.

    Returns:
        Result: The result.

    Raises:
        UserError: If the training failed.
    """
    config = TOOLS.parent / 'configs' / f'{METHODS[method]}.py'
    seeds = [f'randomness.seed={seed}', f'train_dataloader.dataset.noise.seed={seed}']
    command = [sys.executable, str(TOOLS / 'train.py'), str(config), '--work-dir', str(work_dir)]
    start = time.monotonic()
    last_lines: deque[str] = deque(maxlen=20)
    with subprocess.Popen(
        [*command, '--cfg-options', *seeds, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None  # a pipe
        for line in process.stdout:
            last_lines.append(line)
            found = EPOCH.search(line)
            if found:
                seconds = time.monotonic() - start
                text = f'epoch {found[1]:>3}  test accuracy {float(found[2]):5.1f} %  {seconds:4.0f} s'
                print(f'  {method:14} {text}', flush=True)
    if process.returncode:
        raise UserError(f'training {method} failed; its last words: {"".join(last_lines)}')
    return Result(read_record(work_dir), time.monotonic() - start)


def table(results, seed):
    """Put the results of one seed into words.

    Args:
        results (dict[str, Result]): By method.
        seed (int): The seed.

    Returns:
        str: The text.
    """
    tcl = results['TCL'].record
    lines = [
        '',
        f"scikit-learn's digits, {100 * tcl.last('label_noise/noise_rate'):.1f} % of the training labels wrong, "
        f'{tcl.epochs} epochs, seed {seed}',
        '',
        f'{"":14}  test accuracy       wrong labels',
        f'{"":14}  last      best      fitted        time',
    ]
    for method, result in results.items():
        record = result.record
        fitted = 100 * record.last('label_noise/wrong_labels_fitted')
        lines.append(
            f'{method:14}  {record.last_accuracy:5.1f} %   {record.best_accuracy:5.1f} %   '
            f'{fitted:5.1f} %     {result.seconds:5.0f} s'
        )
    lines += ['', f"AUC of TCL's noise detection: {tcl.last('label_noise/score_auc'):.3f}", '']
    for method, result in results.items():
        folder = result.record.work_dir
        last = recorded_checkpoint(folder)
        assert last is not None  # the training has ended well
        lines.append(f'{method:14}  checkpoint {folder / last.name}')
        lines.append(f'{"":14}  log        {max(folder.glob("*/*.log"))}')
    lines.append(f'{"":14}  which labels are wrong: {tcl.work_dir / "label_quality.csv"}')
    return '\n'.join(lines)


def demo(argv=None):
    """Train and compare.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
    """
    args = parse_args(argv)
    texts = []
    for seed in args.seeds:
        print(f'seed {seed}: training {" and ".join(METHODS)}', flush=True)
        folder = Path(args.work_dir) / f'seed{seed}'
        results = {method: train(method, seed, folder / name, args.cfg_options) for method, name in METHODS.items()}
        texts.append(table(results, seed))
    print('\n'.join(texts))


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(demo, argv)


if __name__ == '__main__':
    sys.exit(main())
