# SPDX-License-Identifier: Apache-2.0
"""From measurements to figures and text."""

import statistics
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config
from mmengine.runner.utils import calc_dynamic_intervals

from ..hooks.resume_validation_hook import is_validated
from .generated import Shape
from .measure import TRAIN_STAGES, Measurement


def epoch_seconds(found: Measurement, cfg: Config, shape: Shape) -> dict[str, float]:
    """Estimate what one epoch of the recipe takes.

    Args:
        found (Measurement): The measurement.
        cfg (Config): The config.
        shape (Shape): Shape of the data set.

    Returns:
        dict[str, float]: Seconds of ``training``, ``detection`` and ``evaluation``.
    """
    # Some samplers draw anew what an epoch consists of, such as ClassBalancedSubsetSampler.
    drawn = cfg.train_dataloader.get('sampler', {}).get('num_samples') or shape.train
    steps = drawn // found.batch_size
    seconds = dict(training=steps * found.batch_size * found.seconds_per_sample)
    hooks = [hook for hook in cfg.get('custom_hooks', []) if hook['type'] == 'LabelNoiseHook']
    every = dict(
        detection=hooks[0].get('interval', 1) if hooks else 1,
        evaluation=cfg.train_cfg.max_epochs / num_validations(cfg.train_cfg),
    )
    sizes = dict(detection=(found.num_train, shape.train), evaluation=(found.num_test, shape.test))
    for name, times in found.passes.items():
        measured, full = sizes[name]
        seconds[name] = statistics.median(times) * full / measured / every[name]
    return seconds


def num_validations(train_cfg: Mapping[str, Any]) -> int:
    """Count the validations of a training, as mmengine's loop makes them.

    Args:
        train_cfg (Mapping[str, Any]): The config of the loop.

    Returns:
        int: How many epochs are validated, the last one always.
    """
    last = train_cfg['max_epochs']
    milestones, intervals = calc_dynamic_intervals(
        train_cfg.get('val_interval', 1), train_cfg.get('dynamic_intervals')
    )
    return sum(is_validated(epoch, last, milestones, intervals) for epoch in range(1, last + 1))


def figures(found: Measurement, cfg: Config, shape: Shape, ceiling: float) -> dict:
    """All figures of one config.

    Args:
        found (Measurement): The measurement.
        cfg (Config): The config.
        shape (Shape): Shape of the data set.
        ceiling (float): See :func:`measure_ceiling`.

    Returns:
        dict: Figures by name, ready for JSON.
    """
    per_epoch = epoch_seconds(found, cfg, shape)
    achieved = found.flops / found.seconds_per_sample
    return dict(
        batch_size=found.batch_size,
        step_seconds=statistics.median(found.steps),
        samples_per_second=1 / found.seconds_per_sample,
        stage_seconds={name: statistics.median(found.stages[name]) for name in TRAIN_STAGES},
        pass_seconds={name: statistics.median(times) for name, times in found.passes.items()},
        view_seconds=statistics.median(found.views),
        host_waits=found.host_waits,
        pass_samples=dict(detection=found.num_train, evaluation=found.num_test),
        gflop_per_sample=found.flops / 1e9,
        tflops=achieved / 1e12,
        share_of_ceiling=achieved / ceiling,
        ceiling_tflops=ceiling / 1e12,
        peak_memory_mib=found.peak_memory / 2**20,
        epoch_seconds=per_epoch,
        recipe_hours=sum(per_epoch.values()) * cfg.train_cfg.max_epochs / 3600,
    )


def as_text(result: dict) -> str:
    """Put figures into words.

    Args:
        result (dict): Figures of one config, see :func:`figures`.

    Returns:
        str: A table.
    """
    batch = result['batch_size']
    lines = [f'{"stage":20} {"time":>10} {"share":>8} {"us/sample":>10}']
    total = sum(result['stage_seconds'].values())
    for name, seconds in result['stage_seconds'].items():
        lines.append(f'{name:20} {1e3 * seconds:7.1f} ms {100 * seconds / total:6.1f} % {1e6 * seconds / batch:10.1f}')
    for name, seconds in result['pass_seconds'].items():
        number = result['pass_samples'][name]
        lines.append(f'{name:20} {1e3 * seconds:7.1f} ms {"":8} {1e6 * seconds / number:10.1f}')
    seconds = result['view_seconds']
    lines.append(f'{"views, alone":20} {1e3 * seconds:7.1f} ms {"":8} {1e6 * seconds / batch:10.1f}')
    waits = result['host_waits']
    lines += [
        '',
        f'host waits           {"-" if waits is None else waits} in a step (counted on GPUs)',
        f'whole step           {1e3 * result["step_seconds"]:.1f} ms for {batch} samples',
        f'samples/s            {result["samples_per_second"]:.1f}',
        f'work                 {result["gflop_per_sample"]:.2f} GFLOP/sample, {result["tflops"]:.3f} TFLOP/s, '
        f'{100 * result["share_of_ceiling"]:.0f} % of a matrix product ({result["ceiling_tflops"]:.3f} TFLOP/s)',
        f'peak memory          {result["peak_memory_mib"]:.0f} MiB (on a CPU: of the whole process)',
        'one epoch            '
        + ' + '.join(f'{name} {seconds:.1f} s' for name, seconds in result['epoch_seconds'].items()),
        f'whole recipe         {result["recipe_hours"]:.2f} h (estimated)',
    ]
    return '\n'.join(lines)
