# SPDX-License-Identifier: Apache-2.0
"""Environments that no launcher has made."""

from types import SimpleNamespace

import mmengine.dist
import torch
from mmengine.config import Config

from tcl_plugin import cli, lost_process
from tcl_plugin.errors import run_tool

from .desk import Desk, case, tool

COMPLETE = dict(RANK='0', WORLD_SIZE='2', LOCAL_RANK='0', MASTER_ADDR='127.0.0.1', MASTER_PORT='29500')


def launched(desk: Desk, launcher: str = 'pytorch', **changes: str | None) -> str:
    """Begin a distributed run in an environment, and be refused at once."""
    for name, value in (COMPLETE | changes).items():
        desk.patch.delenv(name, raising=False)
        if value is not None:
            desk.patch.setenv(name, value)
    return desk.told(lambda: cli.check_environment(launcher))


@case('launch-by-hand')
def by_hand(desk: Desk) -> str:
    return launched(desk, RANK=None)


@case('launch-world-size-missing')
def world_size_missing(desk: Desk) -> str:
    return launched(desk, WORLD_SIZE=None)


@case('launch-address-missing')
def address_missing(desk: Desk) -> str:
    return launched(desk, MASTER_ADDR=None)


@case('launch-port-missing')
def port_missing(desk: Desk) -> str:
    return launched(desk, MASTER_PORT='')


@case('launch-rank-text')
def rank_text(desk: Desk) -> str:
    return launched(desk, RANK='first')


@case('launch-rank-too-large')
def rank_too_large(desk: Desk) -> str:
    return launched(desk, RANK='2')


@case('launch-world-size-text')
def world_size_text(desk: Desk) -> str:
    return launched(desk, WORLD_SIZE='2.0')


@case('launch-port-too-large')
def port_too_large(desk: Desk) -> str:
    return launched(desk, MASTER_PORT='70000')


@case('launch-local-rank-text')
def local_rank_text(desk: Desk) -> str:
    desk.patch.setenv('LOCAL_RANK', 'one')
    return desk.told(lambda: tool('train').parse_args(['my.py']))


@case('launch-slurm-by-hand')
def slurm_by_hand(desk: Desk) -> str:
    return launched(desk, 'slurm', SLURM_PROCID=None)


@case('launch-slurm-outside-a-job')
def slurm_outside_a_job(desk: Desk) -> str:
    return launched(desk, 'slurm', SLURM_PROCID='0', SLURM_NTASKS='2', SLURM_NODELIST=None)


@case('launch-slurm-without-gpu')
def slurm_without_gpu(desk: Desk) -> str:
    desk.patch.setattr(cli.environment, 'on_cpu', lambda: True)
    for name, value in dict(SLURM_PROCID='0', SLURM_NTASKS='2', SLURM_NODELIST='node1').items():
        desk.patch.setenv(name, value)

    def begin() -> None:
        with cli.process_group(Config(dict(launcher='slurm'))):
            pass

    return desk.told(begin)


@case('launch-mpi-by-hand')
def mpi_by_hand(desk: Desk) -> str:
    return launched(desk, 'mpi', OMPI_COMM_WORLD_LOCAL_RANK=None)


@case('launch-unknown')
def unknown(desk: Desk) -> str:
    return desk.tool('train', 'my.py', '--launcher', 'torchrun')


@case('launch-rank-text-without-launcher')
def rank_text_without_launcher(desk: Desk) -> str:
    """Another mistake is told all the same."""
    desk.patch.setenv('RANK', 'first')
    assert run_tool(lambda argv: cli.check_checkpoint('gone.pth')) == 2
    return desk.capture.readouterr().err.strip().removeprefix('error: ')


def timeout(desk: Desk, value: object) -> str:
    """Form a group whose processes wait for one another for so long."""
    return desk.told(lambda: lost_process.timeout_of(Config(dict(env_cfg=dict(dist_cfg=dict(timeout=value))))))


@case('launch-timeout-zero')
def timeout_zero(desk: Desk) -> str:
    return timeout(desk, 0)


@case('launch-timeout-text')
def timeout_text(desk: Desk) -> str:
    return timeout(desk, '10 min')


def lost(desk: Desk, text: str) -> str:
    """Be process 0 of three, of which process 2 is still there, when the backend says something."""
    store = torch.distributed.HashStore()
    store.set('tcl_plugin/alive/2', '')
    for name, value in dict(ANSWER_SECONDS=0, group_store=lambda: store, get_world_size=lambda: 3).items():
        desk.patch.setattr(lost_process, name, value)

    def wait() -> None:
        with lost_process.telling_losses():
            raise RuntimeError(text)

    return desk.told(wait)


@case('process-lost')
def process_lost(desk: Desk) -> str:
    return lost(desk, '[gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:34962.')


@case('process-silent')
def process_silent(desk: Desk) -> str:
    return lost(desk, '[gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting 20000ms for recv operation')


@case('process-other-checkpoint')
def other_checkpoint(desk: Desk) -> str:
    """Be process 0 of two, and hear of process 1 that it has loaded nothing."""
    runner = SimpleNamespace(epoch=0, iter=0, _resume=False)
    runner.load_checkpoint = lambda filename: dict(meta=dict(time='20260102_100000'))

    def resume() -> None:
        runner.load_checkpoint('epoch_3.pth')
        runner.epoch, runner.iter = 3, 12

    runner.load_or_resume = resume
    desk.patch.setattr(cli.runner.dist, 'all_gather_object', lambda start: [start, (0, 0, [])])
    cli.runner.watch_loading(runner)
    return desk.told(runner.load_or_resume)


@case('process-other-folder')
def other_folder(desk: Desk) -> str:
    """Be process 1 of two, where process 0 has made the folder that both are to write into somewhere else."""
    name = torch.tensor(list(b'.dist_test/gone'.ljust(512)), dtype=torch.uint8)
    answers = dict(get_dist_info=lambda: (1, 2), broadcast=lambda tensor, source: tensor.copy_(name))
    for function, answer in answers.items():
        desk.patch.setattr(mmengine.dist.dist, function, answer)
    return desk.running(lambda: mmengine.dist.collect_results([0], 2))
