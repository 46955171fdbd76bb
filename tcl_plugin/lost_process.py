# SPDX-License-Identifier: Apache-2.0
"""What the other processes of a distributed run say when one of them dies, or hangs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from mmengine.config import Config
from mmengine.dist import get_rank, get_world_size
from torch import distributed

from .compat import group_store
from .errors import LostProcessError, UserError

# What the backends say. mmengine and torch pass it on as a RuntimeError.
BROKEN = ('Connection closed by peer', 'Connection reset by peer', 'Broken pipe', 'Application timeout caused pair')
SILENT = ('Timed out waiting', 'Socket Timeout', 'wait timeout')

# How long a process that has waited in vain waits for the others to say that they have, too.
ANSWER_SECONDS = 5


def timeout_of(cfg: Config) -> timedelta | None:
    """Read how long a process waits for the others: ``env_cfg.dist_cfg.timeout``, in seconds.

    Args:
        cfg (Config): The config.

    Returns:
        timedelta, optional: The time; None where the config leaves it to torch.

    Raises:
        UserError: If it is no number above 0.
    """
    seconds = ((cfg.get('env_cfg') or {}).get('dist_cfg') or {}).get('timeout')
    if seconds is None:
        return None
    # NaN is not above 0, and more than threescore years is a mistake, or infinite.
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < 2e9:
        raise UserError(f'env_cfg.dist_cfg.timeout={seconds!r}: it must be a number of seconds above 0')
    return timedelta(seconds=seconds)


@contextmanager
def telling_losses() -> Iterator[None]:
    """Tell in one line that another process is gone, so that its own error is not lost among tracebacks.

    Yields:
        None: Nothing.

    Raises:
        LostProcessError: If a connection broke, or there was no answer in time.
    """
    try:
        yield
    except RuntimeError as error:
        if _says(error, BROKEN):
            _sign()
            raise LostProcessError(
                'the connection to another process of this run was lost: why it ended is said by its own error, or '
                'by the report of the launcher'
            ) from error
        if _says(error, SILENT):
            silent = _without_signature()
            text = f'process {", ".join(map(str, silent))}' if silent else 'another process'
            raise LostProcessError(
                f'{text} of this run has not answered in time: it hangs, or needs longer than '
                'env_cfg.dist_cfg.timeout (seconds) allows'
            ) from error
        raise


def _says(error: RuntimeError, phrases: tuple[str, ...]) -> bool:
    return any(phrase in str(error) for phrase in phrases)


def _key(rank: int) -> str:
    return f'tcl_plugin/alive/{rank}'


def _sign() -> None:
    """Leave word that this process is still there."""
    try:
        group_store().set(_key(get_rank()), '')
    except RuntimeError:  # it was kept by the process that is gone
        return


def _without_signature() -> list[int]:
    """Number the processes that do not say that they are there."""
    _sign()
    time.sleep(ANSWER_SECONDS)
    try:
        return [rank for rank in range(get_world_size()) if not group_store().check([_key(rank)])]
    except RuntimeError:
        return []


def start_on_cpu(cfg: Config) -> None:
    """Form the group of a run without an accelerator.

    Args:
        cfg (Config): The config.
    """
    distributed.init_process_group(backend='gloo', timeout=timeout_of(cfg))
