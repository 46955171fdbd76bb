# SPDX-License-Identifier: Apache-2.0
"""Measure noise detection alone: ``python tools/benchmark_detection.py``, on synthetic representations. Linux only."""

import json
import subprocess
import sys
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from tcl_plugin import cli
from tcl_plugin.atomic import write_text
from tcl_plugin.benchmark.detection import measure_detection
from tcl_plugin.benchmark.memory import require_linux
from tcl_plugin.detection import OODDetector
from tcl_plugin.errors import UserError, run_tool
from tcl_plugin.provenance import device_name


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.
    """
    parser = cli.Parser(prog='benchmark_detection.py', description='Measure time and memory of noise detection.')
    sizes = [10_000, 100_000, 1_000_000]
    parser.add_argument(
        '--samples', type=cli.number(2), nargs='+', default=sizes, help='sizes N; default: 10k, 100k, 1M'
    )
    parser.add_argument(
        '--feat-dim', type=cli.number(1), default=256, help='length D of representations; default: 256'
    )
    parser.add_argument('--classes', type=cli.number(1), default=14, help='number of classes K; default: 14')
    parser.add_argument('--batch-size', type=cli.number(1), default=1024, help='samples of a batch; default: 1024')
    parser.add_argument('--per-class', action='store_true', help='one GMM for each class')
    parser.add_argument('--max-samples', type=cli.number(2), default=100_000, help='most samples a GMM is fitted to')
    parser.add_argument('--json', metavar='FILE', help='write the figures to this file')
    parser.add_argument('--one', action='store_true', help='measure one size in this process, and print JSON')
    return parser.parse_args(argv)


def measure_one(args):
    """Measure in this process, and print the figures for the one that has started it.

    Args:
        args (argparse.Namespace): The parsed arguments.
    """
    detector = OODDetector(per_class=args.per_class, max_samples=args.max_samples)
    print(json.dumps(measure_detection(detector, args.samples[0], args.feat_dim, args.classes, args.batch_size)))


def measure_each(args):
    """Measure each size in a process of its own, and print a table.

    Args:
        args (argparse.Namespace): The parsed arguments.

    Raises:
        UserError: If a measurement failed.
    """
    print(f'D={args.feat_dim}, K={args.classes} on {device_name(torch.device("cpu"))}, torch {torch.__version__}')
    print(
        f'{"samples":>10} {"time":>9} {"us/sample":>10} {"features":>10} {"beside":>10} {"rightly told":>13} '
        f'{"change of w":>12} {"of calls":>9}'
    )
    same = ['--feat-dim', args.feat_dim, '--classes', args.classes, '--batch-size', args.batch_size]
    same += ['--max-samples', args.max_samples, *(['--per-class'] if args.per_class else [])]
    results = {}
    for size in args.samples:
        command = [sys.executable, __file__, '--one', '--samples', size, *same]
        done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise UserError(f'measuring {size} samples failed')
        found = results[size] = json.loads(done.stdout.splitlines()[-1])
        print(
            f'{size:10,} {found["seconds"]:7.2f} s {1e6 * found["seconds"] / size:10.2f} '
            f'{found["feature_mib"]:6.0f} MiB {found["extra_mib"]:6.0f} MiB {100 * found["accuracy"]:11.2f} % '
            f'{found["mean_change"]:12.5f} {100 * found["called_otherwise"]:7.2f} %',
            flush=True,
        )
    if args.json:
        write_text(args.json, json.dumps(results, indent=2) + '\n')


def benchmark(argv=None):
    """Measure, and print.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Raises:
        UserError: If there are too few samples, or this is no Linux.
    """
    args = parse_args(argv)
    require_linux()
    if min(args.samples) < 2 * args.classes:
        raise UserError(f'--samples {min(args.samples)}: too few for {args.classes} classes')
    (measure_one if args.one else measure_each)(args)


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
