# SPDX-License-Identifier: Apache-2.0
"""Train many configs under several seeds and noises: ``python tools/sweep.py CONFIG... --seeds 0 1 2``."""

import contextlib
import hashlib
import json
import multiprocessing
import multiprocessing.connection
import os
import re
import signal
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from mmengine.config import Config

from tcl_plugin.atomic import write_text
from tcl_plugin.cli import SEED, Parser
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.explain import explain_config, explain_files
from tcl_plugin.reports import read_run
from tcl_plugin.reports.tables import one_row_each_method, to_markdown
from tcl_plugin.safe_files import read_json

TOOLS = Path(__file__).resolve().parent
NOISE = re.compile(r'(?P<kind>sym|asym)(?P<rate>\d\d)')
IN_NAME = re.compile(r'(?<=_)a?sym\d\d$')
# Of asymmetric noise, by the data set of the config.
MAPPINGS = {'CIFAR10': 'cifar10', 'CIFAR100': 'cifar100_superclass', 'FashionMNISTRGB': 'fashion_mnist'}
# A checkpoint that a config starts from, such as that of the first stage of TCL+.
FIRST_STAGE = re.compile(r'work_dirs/(?P<name>[^/]+)/epoch_\d+\.pth')
RECORD = 'sweep.json'


@dataclass
class Job:
    """One training of the sweep.

    Attributes:
        config (Path): Its config.
        folder (Path): Its work directory.
        options (list[str]): Overrides of the config.
        needs (Job, optional): The training whose checkpoint it starts from.
        state (str): ``'waiting'``, ``'running'``, ``'done'``, ``'failed'`` or, of one that has trained without the
            evaluation that a table needs, ``'unmeasured'``.
    """

    config: Path
    folder: Path
    options: list[str] = field(default_factory=list)
    needs: 'Job | None' = None
    state: str = 'waiting'

    @property
    def arguments(self):
        """list[str]: Arguments of ``tools/train.py``."""
        resume = (self.folder / 'last_checkpoint').exists()
        # A stopped second stage goes on from its own checkpoint, not from that of the first stage.
        options = [option for option in self.options if not (resume and option.startswith('load_from='))]
        command = [str(self.config), '--work-dir', str(self.folder), *(['--resume'] if resume else [])]
        return [*command, '--cfg-options', *options]


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
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='overrides for all configs')
    args = parser.parse_args(argv)
    for noise in args.noises or []:
        if not NOISE.fullmatch(noise):
            raise UserError(f'--noises {noise}: must be sym or asym and two digits, such as sym80 or asym40')
    if args.jobs is not None and args.jobs < 1:
        raise UserError(f'--jobs {args.jobs}: must be 1 or more')
    return args


def plan(args):
    """Make the list of trainings, first stages before second ones.

    Args:
        args (argparse.Namespace): The parsed arguments.

    Returns:
        list[Job]: The trainings.

    Raises:
        UserError: If a config is missing or does not fit, or two would share a work directory.
    """
    jobs: dict[Path, Job] = {}
    for seed in args.seeds:
        for noise in args.noises or [None]:
            for config in args.configs:
                _add(jobs, with_noise(Path(config), noise, args.work_dir), seed, args)
    return list(jobs.values())


def with_noise(config, noise, work_dir):
    """Find the config of the same method, network and data under another noise, or write it.

    Args:
        config (Path): The config.
        noise (str, optional): Name of the noise; None keeps the config's own.
        work_dir (str): Folder of the sweep; its ``configs`` holds what is written.

    Returns:
        Path: A config of that name beside ``config`` where there is one, such as one whose method has
        other arguments under that noise; otherwise ``config`` with the noise replaced.

    Raises:
        UserError: If the config is missing, names no noise that could be replaced, or its data set
            has no mapping for asymmetric noise.
    """
    if not config.is_file():
        raise UserError(f'config {config} does not exist')
    if noise is None or config.stem.endswith(f'_{noise}'):
        return config
    dataset = Config.fromfile(config, import_custom_modules=False).train_dataloader.dataset
    if not IN_NAME.search(config.stem) or not dataset.get('noise'):
        raise UserError(f'{config}: its name does not end in sym or asym, so that {noise} cannot take the place of it')
    name = IN_NAME.sub(noise, config.stem)
    if config.with_name(f'{name}.py').is_file():
        return config.with_name(f'{name}.py')
    parts = NOISE.fullmatch(noise)
    assert parts is not None  # parse_args has looked at it
    kind, rate = parts.groups()
    new = dict(_delete_=True, type='SymmetricNoise', rate=int(rate) / 100, seed=0)
    if kind == 'asym':
        if dataset.dataset.type not in MAPPINGS:
            raise UserError(f'--noises {noise}: {dataset.dataset.type} has no mapping of similar classes')
        new.update(type='AsymmetricNoise', mapping=MAPPINGS[dataset.dataset.type])
    path = Path(work_dir) / 'configs' / f'{name}.py'
    path.parent.mkdir(parents=True, exist_ok=True)
    # Resolved: `..` leads out of where a link points to, not out of where it lies.
    base = os.path.relpath(config.resolve(), path.parent.resolve())
    write_text(path, f'_base_ = {base!r}\n\ntrain_dataloader = dict(dataset=dict(noise={new!r}))\n')
    return path


def _add(jobs, config, seed, args):
    """Add a training, and the one that it starts from, unless they are there already."""
    folder = Path(args.work_dir) / config.stem / f'seed{seed}'
    if folder in jobs:
        if jobs[folder].config.resolve() != config.resolve():
            raise UserError(f'{jobs[folder].config} and {config} would share {folder}: sweep them apart')
        return jobs[folder]
    cfg = Config.fromfile(config, import_custom_modules=False)
    dataset = 'train_dataloader.dataset'
    made = [part for part in ('noise', 'open_set') if cfg.train_dataloader.dataset.get(part)]
    seeds = [f'randomness.seed={seed}', *(f'{dataset}.{part}.seed={seed}' for part in made)]
    job = Job(config, folder, [*seeds, *args.cfg_options])
    first = FIRST_STAGE.fullmatch(cfg.get('load_from') or '')
    if first:
        job.needs = _add(jobs, _first_stage(config, first['name'], args), seed, args)
        job.options.append(f'load_from={job.needs.folder}/epoch_{_max_epochs(job.needs)}.pth')
    jobs[folder] = job
    return job


def _first_stage(config, name, args):
    """The config of the first stage, under the noise of the second."""
    path = next(TOOLS.parent.glob(f'configs/**/{name}.py'), None)
    if path is None:
        raise UserError(f'{config} starts from a checkpoint of {name}, but there is no such config')
    noise = IN_NAME.search(config.stem)
    return with_noise(path, noise[0] if noise else None, args.work_dir)


def _max_epochs(job):
    """How many epochs a training has, overrides included."""
    cfg = Config.fromfile(job.config, import_custom_modules=False)
    told = [option.split('=')[1] for option in job.options if option.startswith('train_cfg.max_epochs=')]
    return int(told[-1]) if told else cfg.train_cfg.max_epochs


def check_record(job):
    """Refuse to take a work directory of another sweep for this training's, and leave word of this one.

    Args:
        job (Job): The training.

    Raises:
        UserError: If the work directory has a training with other options, or by a config that was edited since.
    """
    path = job.folder / RECORD
    told = dict(config=job.config.name, options=job.options, content=content_of(job.config))
    if path.exists():
        try:
            before: Any = read_json(path)
            options = ' '.join(before['options'])
            content = before.pop('content', told['content'])  # records of earlier releases have none
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f'{path} is not as sweep.py writes it ({error}): choose another --work-dir') from error
        if before != dict(config=told['config'], options=told['options']):
            raise UserError(f'{job.folder} holds a training with other options ({options}): choose another --work-dir')
        if content != told['content']:
            raise UserError(
                f'{job.folder} holds a training of {job.config} as it was before it, or a config that it is based on, '
                'was edited: choose another --work-dir, or remove that folder'
            )
    job.folder.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(told))


def content_of(config):
    """Fingerprint of a config with all that it is based on.

    Args:
        config (Path): The config.

    Returns:
        str: SHA-256 of its values, in hexadecimal.
    """
    values = Config.fromfile(config, import_custom_modules=False).to_dict()
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def finished(folder):
    """Tell whether a work directory holds a training that has come to its end.

    Args:
        folder (Path): The work directory.

    Returns:
        bool: True if so.
    """
    if not (folder / 'last_checkpoint').exists():
        return False
    try:
        return read_run(folder).finished
    except (ValueError, FileNotFoundError):  # stopped before the first evaluation
        return False


def train(arguments, folder, threads):
    """Run ``tools/train.py`` in this process, with what it prints in a file.

    Args:
        arguments (list[str]): Its arguments.
        folder (str): Work directory; its ``train.out`` gets what is printed.
        threads (int): Number of threads of torch.
    """
    _end_with_the_sweep()
    Path(folder).mkdir(parents=True, exist_ok=True)
    # Not emptied: another sweep may be at work, whose training this one will be refused for.
    with (Path(folder) / 'train.out').open('a', encoding='utf-8') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    torch.set_num_threads(threads)
    sys.argv = [str(TOOLS / 'train.py'), *arguments]
    sys.path.insert(0, str(TOOLS))
    from train import main as train_main

    sys.exit(train_main(arguments))


def _end_with_the_sweep():
    """End this process when that of the sweep ends, however it does.

    A training that went on alone would write into the same folder as that of the next sweep.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None  # multiprocessing has started this process

    def watch():
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


class Pool:
    """Runs jobs, so many at a time.

    Args:
        size (int): Number of jobs at a time.
        gpus (int): Number of GPUs, over which jobs are dealt out.
    """

    def __init__(self, size, gpus):
        self.size = size
        self.gpus = gpus
        # As many as there are cores, unless OMP_NUM_THREADS says less: more would wait for one another.
        self.threads = max(1, torch.get_num_threads() // size)
        # The server, unlike this process, would import an installed package before that of this checkout.
        os.environ['PYTHONPATH'] = os.pathsep.join(filter(None, [str(TOOLS.parent), os.environ.get('PYTHONPATH')]))
        # A server that has imported everything splits off a process for each job. Not where there are GPUs: importing
        # mmengine asks CUDA, which a process that is split off afterwards cannot use.
        self.context: Any = multiprocessing.get_context('spawn' if gpus else 'forkserver')
        if not gpus:
            self.context.set_forkserver_preload(['tcl_plugin', 'mmpretrain.datasets', 'mmpretrain.evaluation'])
        self.running = {}

    def start(self, job):
        """Start a job on a free place."""
        place = min(set(range(self.size)) - {place for place, *_ in self.running.values()})
        process = self.context.Process(target=train, args=(job.arguments, str(job.folder), self.threads))
        with _seeing(place % self.gpus if self.gpus else None):
            process.start()
        job.state = 'running'
        self.running[process.sentinel] = (place, job, process, time.monotonic())

    def wait(self):
        """Wait until a job has ended, and tell of it."""
        for sentinel in multiprocessing.connection.wait(list(self.running)):
            _, job, process, start = self.running.pop(sentinel)
            process.join()
            job.state = 'failed' if process.exitcode else 'done'
            _tell(job, f'{time.monotonic() - start:.0f} s')

    def stop(self):
        """End what is running."""
        for _, _, process, _ in self.running.values():
            process.terminate()


@contextlib.contextmanager
def _seeing(gpu):
    """Let a process that is started see one GPU, of those that the user has chosen, if so."""
    chosen = os.environ.get('CUDA_VISIBLE_DEVICES')
    if gpu is not None:
        # Before it begins: what it imports at first reads the list of devices.
        os.environ['CUDA_VISIBLE_DEVICES'] = chosen.split(',')[gpu] if chosen else str(gpu)
    try:
        yield
    finally:
        if chosen is None:
            os.environ.pop('CUDA_VISIBLE_DEVICES', None)
        else:
            os.environ['CUDA_VISIBLE_DEVICES'] = chosen


def _tell(job, took):
    """One line on a job that has ended."""
    if job.state == 'failed':
        out = job.folder / 'train.out'
        lines = out.read_text(encoding='utf-8').splitlines() if out.exists() else []
        print(f'{job.folder}: failed after {took}: {lines[-1] if lines else "no output"}; see {out}', flush=True)
    elif finished(job.folder):
        run = read_run(job.folder)
        print(f'{job.folder}: last {run.last:.1f} %, best {run.best:.1f} %, {took}', flush=True)
    else:
        job.state = 'unmeasured'
        print(f'{job.folder}: trained, {took}, but its last epoch has no accuracy/top1', flush=True)


def run_all(jobs, pool):
    """Run all jobs; those that need another one's checkpoint wait for it, and fail with it.

    Args:
        jobs (list[Job]): The jobs.
        pool (Pool): Runs them.
    """
    try:
        while True:
            for job in jobs:
                if job.state == 'waiting' and job.needs and job.needs.state == 'failed':
                    job.state = 'failed'
                    print(f'{job.folder}: not trained, as {job.needs.folder} has failed', flush=True)
                ready = job.state == 'waiting' and (job.needs is None or job.needs.state in ('done', 'unmeasured'))
                if ready and len(pool.running) < pool.size:
                    pool.start(job)
            if not pool.running:
                return
            pool.wait()
    finally:
        pool.stop()


def sweep(argv=None):
    """Train all, and print a table.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Raises:
        UserError: If a training has failed.
    """
    args = parse_args(argv)
    with explained(explain_config, explain_files):
        jobs = plan(args)
    start = time.monotonic()
    for job in jobs:
        check_record(job)
        if finished(job.folder):
            job.state = 'done'
    todo = [job for job in jobs if job.state == 'waiting']
    gpus = torch.cuda.device_count()
    size = min(args.jobs or gpus or os.cpu_count() or 1, max(1, len(todo)))
    print(f'{len(todo)} of {len(jobs)} trainings to do, {size} at a time', flush=True)
    run_all(jobs, Pool(size, gpus))
    done = [read_run(job.folder) for job in jobs if job.state == 'done']
    print(f'\n{len(todo)} trainings took {(time.monotonic() - start) / 60:.1f} minutes\n')
    print(to_markdown([row[:-3] for row in one_row_each_method(done)]), end='')
    failed = [str(job.folder) for job in jobs if job.state == 'failed']
    if failed:
        raise UserError(f'{len(failed)} of {len(jobs)} trainings failed: {", ".join(failed)}')


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(sweep, argv)


if __name__ == '__main__':
    sys.exit(main())
