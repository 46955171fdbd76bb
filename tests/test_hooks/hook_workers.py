# SPDX-License-Identifier: Apache-2.0
"""What each of several processes does in the tests of hooks."""

import numpy as np
from mmengine.model import is_model_wrapper
from toy_runs import PLAIN_PIPELINE, build_runner, elr, hook, noisy_digits, tcl, watch

from tcl_plugin.compat import unwrap_model

DDP = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)


def look(model) -> list[np.ndarray]:
    """What the hook has told the head."""
    return [tensor.cpu().numpy().copy() for tensor in (model.head.clean_prob, model.head.prototypes)]


def train(rank: int, work_dir: str, detector: dict, launcher: str = 'pytorch') -> tuple[list, list, bool]:
    """Train an epoch.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.
        detector (dict): Config of the detector.
        launcher (str): ``'none'`` for a run of one process.

    Returns:
        tuple: What the head knew before training and after, and whether there was DDP.
    """
    wrapper = {} if launcher == 'none' else dict(model_wrapper_cfg=DDP)
    runner = build_runner(work_dir, tcl(warmup_epochs=0), noisy_digits(), hook(detector), launcher=launcher, **wrapper)
    witness = watch(runner, look)
    return witness.before, look(unwrap_model(runner.model)), is_model_wrapper(runner.model)


def train_elr(rank: int, work_dir: str) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Train an epoch with early-learning regularisation.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.

    Returns:
        tuple: Rows and running averages of each step of this process; and the table after the epoch.
    """
    runner = build_runner(
        work_dir,
        elr(),
        noisy_digits(pipeline=PLAIN_PIPELINE),
        dict(type='SampleStateHook'),
        launcher='pytorch',
        model_wrapper_cfg=DDP,
    )
    head, steps = unwrap_model(runner.model).head, []
    renew = head.renew

    def noting(probs, samples):
        averages = renew(probs, samples)
        steps.append((np.array([sample.sample_idx for sample in samples]), averages.numpy().copy()))
        return averages

    head.renew = noting
    runner.train()
    return steps, head.sample_state.numpy()
