# SPDX-License-Identifier: Apache-2.0
"""Time the stages of training."""

import copy
import statistics
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from mmengine.config import Config
from mmengine.dataset import default_collate
from mmengine.hooks import RuntimeInfoHook
from mmengine.runner import Runner
from torch.utils.flop_counter import FlopCounterMode

from ..cli.runner import check_length
from ..hooks import LabelNoiseHook
from ..hooks.head_epoch import tell_epoch
from .memory import peak_bytes

TRAIN_STAGES = ('waiting for data', 'transfer', 'views', 'forward', 'backward', 'optimiser')
# Operations are counted on so few samples, since a counted step is a slow one.
COUNTED = 8


@dataclass
class Measurement:
    """Times of one config on one device.

    Attributes:
        steps (list[float]): Seconds of whole training steps, data loading included.
        stages (dict[str, list[float]]): Seconds of the stages of further steps.
        passes (dict[str, list[float]]): Seconds of ``detection`` and ``evaluation``.
        views (list[float]): Seconds of reading a batch and cutting its views, in one process and,
            on a CPU, one thread.
        host_waits (int, optional): How often the host waits for the GPU in a step; None on a CPU.
        batch_size (int): Samples of a step on this process.
        num_train (int): Samples of a detection pass.
        num_test (int): Samples of an evaluation.
        flops (float): Floating-point operations of the training step for each sample.
        peak_memory (int): Bytes during whole steps: on the GPU, or of the whole process where there
            is none.
    """

    batch_size: int
    num_train: int
    num_test: int
    flops: float = 0.0
    peak_memory: int = 0
    host_waits: int | None = None
    steps: list[float] = field(default_factory=list)
    views: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    passes: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def seconds_per_sample(self) -> float:
        """Median time of a step over its samples."""
        return statistics.median(self.steps) / self.batch_size


class Timed:
    """A config that is ready to be trained, step by step.

    Args:
        runner (Runner): The runner, see :func:`build_timed`.
        num_test (int): Number of test images.
    """

    def __init__(self, runner: Runner, num_test: int) -> None:
        self.runner = runner
        self.model = runner.model
        self.device = next(runner.model.parameters()).device
        self.found = Measurement(
            runner.cfg.train_dataloader.batch_size, len(runner.train_dataloader.dataset), num_test
        )
        self._batches = self._endless()

    def _endless(self) -> Iterator[dict]:
        while True:
            yield from self.runner.train_dataloader

    def wait(self) -> None:
        """Wait until the device has done what it was told."""
        if self.device.type == 'cuda':
            torch.cuda.synchronize(self.device)

    @contextmanager
    def _timing(self, times: list[float]) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.wait()
        times.append(time.perf_counter() - start)

    def run_steps(self, number: int) -> None:
        """Make whole steps, one after the other as in training; keep the mean time of one.

        Args:
            number (int): Number of steps.
        """
        reader = next(hook for hook in self.runner.hooks if isinstance(hook, RuntimeInfoHook))
        if self.device.type == 'cuda':
            torch.cuda.reset_peak_memory_stats(self.device)
        self.wait()
        start = time.perf_counter()
        for i in range(number):
            losses = self.model.train_step(next(self._batches), self.runner.optim_wrapper)
            reader.after_train_iter(self.runner, i, outputs=losses)
        self.wait()
        self.found.steps.append((time.perf_counter() - start) / number)
        self.found.peak_memory = max(self.found.peak_memory, _peak_memory(self.device))

    def run_stages(self) -> None:
        """Make one step and time its stages, waiting for the device after each."""
        stages, optim = self.found.stages, self.runner.optim_wrapper
        preprocessor = self.model.data_preprocessor
        with self._timing(stages['waiting for data']):
            batch = next(self._batches)
        with self._timing(stages['transfer']):
            batch = {**batch, 'inputs': preprocessor.cast_data(batch['inputs'])}
        with self._timing(stages['views']):
            batch = preprocessor(batch, True)
        with self._timing(stages['forward']), optim.optim_context(self.model):
            loss, _ = self.model.parse_losses(self.model(**batch, mode='loss'))
        with self._timing(stages['backward']):
            optim.backward(optim.scale_loss(loss))
        with self._timing(stages['optimiser']):
            optim.step()
            optim.zero_grad()

    def run_views(self) -> None:
        """Time reading and cutting a batch: without workers, so that ways of doing it compare."""
        dataset, rows = self.runner.train_dataloader.dataset, list(range(self.found.batch_size))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        with self._timing(self.found.views):
            quick = hasattr(dataset, '__getitems__')
            batch = dataset.__getitems__(rows) if quick else default_collate([dataset[i] for i in rows])
            self.model.data_preprocessor(batch, True)
        torch.set_num_threads(threads)

    def run_passes(self) -> None:
        """Time one detection and one evaluation."""
        hook = next((hook for hook in self.runner.hooks if isinstance(hook, LabelNoiseHook)), None)
        if hook is not None:
            with self._timing(self.found.passes['detection']):
                hook.inspect(self.runner, epoch=1)
        if self.runner.val_loop is not None:
            with self._timing(self.found.passes['evaluation']):
                self.runner.val_loop.run()
        self.model.train()

    def count(self) -> None:
        """Count operations and waits of a step."""
        if self.device.type == 'cuda':
            self.found.host_waits = self._count_host_waits()
        batch = next(self._batches)
        counted = min(COUNTED, len(batch['data_samples']))
        samples = [batch['data_samples'][i] for i in range(counted)]
        inputs = batch['inputs']
        few = [view[:counted] for view in inputs] if isinstance(inputs, (list, tuple)) else inputs[:counted]
        batch = self.model.data_preprocessor(dict(inputs=few, data_samples=samples), True)
        # Of a copy, which is not compiled: operations of compiled code are not seen.
        model = copy.deepcopy(self.model)
        with FlopCounterMode(display=False) as counter:
            loss, _ = model.parse_losses(model(**batch, mode='loss'))
            loss.backward()
        self.found.flops = counter.get_total_flops() / counted

    def _count_host_waits(self) -> int:
        batch = next(self._batches)
        torch.cuda.set_sync_debug_mode('warn')
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter('always')
                self.model.train_step(batch, self.runner.optim_wrapper)
        finally:
            torch.cuda.set_sync_debug_mode('default')
        return sum('synchronizing' in str(warning.message) for warning in caught)


def _peak_memory(device: torch.device) -> int:
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device)
    return peak_bytes()


def build_timed(cfg: Config, num_test: int) -> Timed:
    """Build everything that a training needs, up to its first step.

    Args:
        cfg (Config): The config, with data that is there.
        num_test (int): Number of test images.

    Returns:
        Timed: The config, ready.

    Raises:
        UserError: If the training set has no batch.
    """
    runner = Runner.from_cfg(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    if runner._val_loop is not None:
        runner._val_loop = runner.build_val_loop(runner._val_loop)
    check_length(runner.train_loop)
    runner._init_model_weights()
    runner.call_hook('before_run')
    runner.call_hook('before_train')
    runner.model.train()
    # Of the last epoch: some methods do more after a warm-up, which is the smaller part of a recipe.
    runner.train_loop._epoch = max(runner.max_epochs - 1, 0)
    tell_epoch(runner)
    return Timed(runner, num_test)


def measure_ceiling(device: torch.device, dtype: torch.dtype) -> float:
    """Measure how fast the device multiplies large matrices.

    Args:
        device (torch.device): The device.
        dtype (torch.dtype): Type of the matrices.

    Returns:
        float: Floating-point operations in a second; the best of several tries.
    """
    size = 8192 if device.type == 'cuda' else 2048
    left, right = torch.randn(2, size, size, device=device, dtype=dtype)
    times, before = [], torch.backends.cuda.matmul.allow_tf32
    # In float32, convolutions may use TF32 by default and matrix products may not.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32
    for _ in range(8):
        start = time.perf_counter()
        left @ right
        if device.type == 'cuda':
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - start)
    torch.backends.cuda.matmul.allow_tf32 = before
    return 2 * size**3 / min(times)
