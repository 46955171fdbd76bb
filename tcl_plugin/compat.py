# SPDX-License-Identifier: Apache-2.0
"""The one place that knows about differences between releases of torch, numpy and mmengine."""

import codecs
import contextlib
import functools
import importlib
import os
import pickle
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from mmengine.model import is_model_wrapper
from mmengine.runner.checkpoint import CheckpointLoader
from mmpretrain.apis.model import ModelHub

from .safe_files import check_torch_archive

# mmcv-lite warns that it lacks an operator that no classifier needs.
warnings.filterwarnings('ignore', message='Fail to import ``MultiScaleDeformableAttention``')

FORCE_SAFE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
FORCE_UNSAFE = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'


def unwrap_model(model: Any) -> Any:
    """Return the model inside DDP or any other wrapper that mmengine knows.

    Args:
        model (nn.Module): A model, wrapped or not.

    Returns:
        nn.Module: The model itself.
    """
    while is_model_wrapper(model):
        model = model.module
    return model


def group_store() -> torch.distributed.Store:
    """Return what the processes of a distributed run share besides collectives; torch has no public name for it.

    Returns:
        torch.distributed.Store: The store of the default group.
    """
    return torch.distributed.distributed_c10d._get_default_store()


def has_bfloat16(device: torch.device) -> bool:
    """Tell whether a device calculates in bfloat16 itself; emulation is slower than float32.

    Args:
        device (torch.device): The device.

    Returns:
        bool: True for NVIDIA GPUs from compute capability 8.0 on, and for CPUs with such instructions where Linux
        lists them. torch has asked CPUs by another private name in almost every release.
    """
    if device.type == 'cuda':
        return torch.cuda.get_device_capability(device) >= (8, 0)
    cpuinfo = Path('/proc/cpuinfo')
    if device.type != 'cpu' or not cpuinfo.exists():
        return False
    return not {'avx512_bf16', 'amx_bf16', 'bf16'}.isdisjoint(cpuinfo.read_text().split())


def has_float64(device: torch.device) -> bool:
    """Tell whether a device knows float64.

    Args:
        device (torch.device): The device.

    Returns:
        bool: False for Apple's GPUs.
    """
    return device.type != 'mps'


def _history_method(owner: object, name: str) -> Callable:
    """Look up a method of ``HistoryBuffer``, and nothing else.

    A history refers to its own methods, and pickle spells that ``getattr(HistoryBuffer, 'mean')``. The real
    ``getattr`` would hand out anything: ``getattr(getattr, '__self__')`` is the module that holds ``exec``.
    """
    if owner is not HistoryBuffer or name.startswith('_') or not callable(getattr(HistoryBuffer, name, None)):
        raise pickle.UnpicklingError(f'Weights only load failed: getattr({owner!r}, {name!r}) is not allowed')
    return getattr(HistoryBuffer, name)


# Allowed globals are found by these names.
_history_method.__module__, _history_method.__name__, _history_method.__qualname__ = 'builtins', 'getattr', 'getattr'


def _former_name(function: Callable) -> Callable:
    """Give a function of numpy the name by which numpy 1 pickled it: ``numpy.core`` has become ``numpy._core``."""

    @functools.wraps(function)
    def former(*args: Any) -> Any:
        return function(*args)

    former.__module__ = 'numpy.core.multiarray'
    return former


def history_classes() -> list:
    """List what mmengine's checkpoints hold besides tensors and plain containers.

    The log history in a checkpoint is a ``HistoryBuffer`` of numpy arrays. Everything named here only holds numbers:
    none of it runs code when it is unpickled.

    Returns:
        list: Classes and functions that ``torch.load(weights_only=True)`` may meet.
    """
    multiarray: Any = importlib.import_module('numpy._core.multiarray')
    numbers = 'biuf'
    kinds = {type(np.dtype(code)) for code in np.typecodes['All'] if np.dtype(code).kind in numbers}
    return [
        HistoryBuffer,
        _history_method,
        np.ndarray,
        np.dtype,
        multiarray._reconstruct,
        multiarray.scalar,
        _former_name(multiarray._reconstruct),
        _former_name(multiarray.scalar),
        codecs.encode,  # bytes inside numpy scalars; newer releases of torch allow it by themselves
        *sorted(kinds, key=lambda kind: kind.__name__),
    ]


@contextlib.contextmanager
def weights_only() -> Iterator[None]:
    """Make every ``torch.load`` inside the block refuse to run pickled code.

    torch offers an environment variable for this, which also binds callers that ask for the opposite: the OneDL fork
    of mmengine falls back to unsafe loading where the safe one fails, and torch before 2.6 is unsafe unless asked. A
    person who sets ``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` has chosen to trust their files, and is left alone.

    Yields:
        None: Nothing.
    """
    if os.environ.get(FORCE_UNSAFE, '').lower() in {'1', 'y', 'yes', 'true'}:
        yield
        return
    before = os.environ.get(FORCE_SAFE)
    os.environ[FORCE_SAFE] = '1'
    try:
        yield
    finally:
        if before is None:
            del os.environ[FORCE_SAFE]
        else:
            os.environ[FORCE_SAFE] = before


def _guarded(loader: Callable) -> Callable:
    """Wrap one of mmengine's checkpoint loaders in :func:`weights_only`; refuse compressed files."""

    @functools.wraps(loader)
    def load(filename: str, *args: Any, **kwargs: Any) -> Any:
        if os.path.isfile(os.path.expanduser(filename)):
            check_torch_archive(os.path.expanduser(filename))
        with weights_only():
            return loader(filename, *args, **kwargs)

    load.guarded = True  # type: ignore[attr-defined]  # functions have no such attribute until they are given it
    return load


def make_checkpoints_safe() -> None:
    """Let mmengine load its own checkpoints under ``weights_only=True``, and nothing else.

    PyPI's mmengine 0.10.7 cannot resume under torch >= 2.6 without the first part. Calling it again changes nothing.
    """
    torch.serialization.add_safe_globals(history_classes())
    for prefix, loader in list(CheckpointLoader._schemes.items()):
        if not getattr(loader, 'guarded', False):
            CheckpointLoader.register_scheme(prefix, _guarded(loader), force=True)


def before_model_lookup(register: Callable[[], object]) -> None:
    """Call a function once, before mmpretrain first looks for a model by name.

    mmpretrain registers its own models as late as this, by a method that ``get_model`` and ``list_models`` both call
    first, and has no such place for others. Without that method the function is called at once.

    Args:
        register (Callable): Registers models. Whatever it raises reaches whoever looks for a model, each time anew.
    """
    register_own = getattr(ModelHub, '_register_mmpretrain_models', None)
    if register_own is None:
        register()
        return
    waiting = [register]

    def register_all() -> None:
        register_own()
        while waiting:
            waiting[0]()
            waiting.pop(0)

    ModelHub._register_mmpretrain_models = staticmethod(register_all)


make_checkpoints_safe()
