# SPDX-License-Identifier: Apache-2.0
"""Measure large data and long runs: ``python tools/benchmark_endurance.py``. Linux only."""

import json
import sys
import tempfile
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from mmengine.config import Config
from mmengine.runner import Runner

from tcl_plugin import cli
from tcl_plugin.benchmark.endurance import ResourceWatch, measure_large
from tcl_plugin.benchmark.memory import require_linux
from tcl_plugin.errors import UserError, run_tool

CONFIG = Path(__file__).resolve().parent.parent / 'configs' / 'tcl_digits_sym80.py'


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.
    """
    parser = cli.Parser(prog='benchmark_endurance.py', description='Measure large data sets and long runs.')
    parser.add_argument('--samples', type=int, default=1_000_000, help='samples of the large set; default: 1M')
    parser.add_argument('--feat-dim', type=int, default=256, help='length D of representations; default: 256')
    parser.add_argument('--epochs', type=int, metavar='E', help='train so many epochs of 32 digits instead')
    return parser.parse_args(argv)


def long_run(epochs, work_dir):
    """Train a small network on few digits, and watch the process.

    Args:
        epochs (int): Number of epochs.
        work_dir (str): Work directory.

    Returns:
        list[dict]: What the process held after each epoch.
    """
    cfg = Config.fromfile(CONFIG)
    cfg.work_dir, cfg.log_level = work_dir, 'ERROR'
    cfg.train_cfg.max_epochs, cfg.train_cfg.val_interval = epochs, 10
    cfg.model.backbone.base_channels = 8  # torch 2.14.1 corrupts memory in a narrower network's backward pass
    cfg.model.head.in_channels = 64
    cfg.param_scheduler = []
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[name].update(num_workers=0, persistent_workers=False, batch_size=16)
        inner = cfg[name].dataset.get('dataset', cfg[name].dataset)
        inner.indices = 32
    runner, watch = Runner.from_cfg(cfg), ResourceWatch()
    runner.register_hook(watch, priority='LOWEST')
    runner.train()
    return watch.epochs


def benchmark(argv=None):
    """Measure, and print one line of JSON for each figure.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Raises:
        UserError: If there are too few samples or epochs, or this is no Linux.
    """
    args = parse_args(argv)
    require_linux()
    if args.samples < 100 or (args.epochs is not None and args.epochs < 2):
        raise UserError('--samples must be 100 or more, and --epochs 2 or more')
    with tempfile.TemporaryDirectory() as folder:
        if args.epochs is None:
            print(json.dumps(measure_large(Path(folder), args.samples, args.feat_dim, 14)))
            return
        epochs = long_run(args.epochs, folder)
        for epoch in sorted({1, args.epochs // 10, args.epochs // 2, args.epochs} - {0}):
            print(json.dumps(dict(epoch=epoch, **epochs[epoch - 1])))


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(benchmark, argv)


if __name__ == '__main__':
    sys.exit(main())
