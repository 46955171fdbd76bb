# SPDX-License-Identifier: Apache-2.0
"""Train many configs under several seeds and noises: ``python tools/sweep.py CONFIG... --seeds 0 1 2``."""

import sys
import time
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

from tcl_plugin.auto_setup.machine import usable_cores
from tcl_plugin.cli import SEED, Parser
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.explain import explain_config, explain_files
from tcl_plugin.reports import read_run
from tcl_plugin.reports.tables import one_row_each_method, to_markdown
from tcl_plugin.sweeps import NOISE, Planner, Pool, check_record, finished, keep_record, run_all

TOOLS = Path(__file__).resolve().parent


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.

    Raises:
        UserError: If a noise has no meaning, or the number of jobs is not positive.
    """
    parser = Parser(
        prog='sweep.py',
        description='Train configs under several seeds and noises, some at a time, and print a table. '
        'What has been trained is not trained again, and what was stopped goes on.',
    )
    parser.add_argument('configs', nargs='+', help='paths of configs')
    parser.add_argument('--seeds', nargs='+', type=SEED, default=[0], help='seeds of noise and training; default: 0')
    parser.add_argument(
        '--noises', nargs='+', metavar='NOISE', help="noises in place of the configs' own, such as sym50 and asym40"
    )
    parser.add_argument('--work-dir', default='work_dirs/sweep', help='folder for the runs; default: %(default)s')
    parser.add_argument('--jobs', type=int, help='trainings at a time; default: one for each GPU, or CPU core')
    parser.add_argument(
        '--cfg-options', nargs='+', action='extend', default=[], metavar='KEY=VALUE', help='overrides for all configs'
    )
    args = parser.parse_args(argv)
    for noise in args.noises or []:
        if not NOISE.fullmatch(noise):
            raise UserError(f'--noises {noise}: must be sym or asym and two digits, such as sym80 or asym40')
    if args.jobs is not None and args.jobs < 1:
        raise UserError(f'--jobs {args.jobs}: must be 1 or more')
    return args


def plan(args):
    """Make the list of trainings.

    Args:
        args (argparse.Namespace): The parsed arguments.

    Returns:
        list[Job]: The trainings, first stages before second ones.

    Raises:
        UserError: If a config is missing or does not fit, or two would share a work directory.
    """
    configs = [Path(config) for config in args.configs]
    planner = Planner(args.work_dir, args.cfg_options, TOOLS.parent / 'configs', configs)
    for seed in args.seeds:
        for noise in args.noises or [None]:
            for config in configs:
                planner.add(config, noise, seed)
    return planner.jobs


def sweep(argv=None):
    """Train all, and print a table.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Raises:
        UserError: If a training has failed, or has no row in the table.
    """
    args = parse_args(argv)
    with explained(explain_config, explain_files):
        Path(args.work_dir).mkdir(parents=True, exist_ok=True)
        jobs = plan(args)
        for job in jobs:
            check_record(job)
        for job in jobs:
            take_for_done(job)
            if job.state == 'done':
                keep_record(job)  # an earlier release may have written less
    start = time.monotonic()
    todo = [job for job in jobs if job.state == 'waiting']
    gpus = torch.cuda.device_count()
    size = min(args.jobs or gpus or usable_cores(), max(1, len(todo)))
    print(f'{len(todo)} of {len(jobs)} trainings to do, {size} at a time', flush=True)
    run_all(jobs, Pool(size, gpus, TOOLS / 'train.py'))
    done = [read_run(job.folder) for job in jobs if job.state == 'done']
    print(f'\n{len(todo)} trainings took {(time.monotonic() - start) / 60:.1f} minutes\n')
    print(to_markdown([row[:-3] for row in one_row_each_method(done)]), end='')
    told = []
    for state, what in (('failed', 'failed'), ('unmeasured', 'are not in the table')):
        folders = [str(job.folder) for job in jobs if job.state == state]
        if folders:
            told.append(f'{len(folders)} of {len(jobs)} trainings {what}: {", ".join(folders)}')
    if told:
        raise UserError('; '.join(told))


def take_for_done(job):
    """Leave out a training that has come to its end, and one of which nobody can tell; what needs it waits for that.

    Args:
        job (Job): The training; its state is changed.
    """
    try:
        if finished(job.folder):
            job.state = 'done'
    except ValueError as error:
        job.state = 'failed'
        print(f'{job.folder}: not trained: {error}', flush=True)


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(sweep, argv, stopped='the same command goes on')


if __name__ == '__main__':
    sys.exit(main())
