# SPDX-License-Identifier: Apache-2.0
"""Heads that change with the epochs."""

from mmengine.runner import Runner

from ..compat import unwrap_model


def tell_epoch(runner: Runner) -> None:
    """Tell the head which epoch begins, if it asks by having ``start_epoch(epoch)``.

    Args:
        runner (Runner): The runner.
    """
    head = unwrap_model(runner.model).head
    if hasattr(head, 'start_epoch'):
        head.start_epoch(runner.epoch)
