# SPDX-License-Identifier: Apache-2.0
"""Explainers: each looks at an exception and returns one line about it, or None where it cannot tell it from a bug.

Each stage of a command (reading the config, building, loading a checkpoint, running) uses some of them.
"""

import errno
import http.client
import inspect
import os
import pickle
import re
import urllib.error
from typing import Any

from mmengine.config import Config

from .config_parts import dicts_in
from .errors import Explainer, deliberate, did_you_mean, frames, local_text, local_values, one_line, raised_in

# No room on the disk, none left for this user, and a file larger than a limit allows.
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

# Packages whose `raise` statements speak to the person who wrote the config.
FRAMEWORK = ('tcl_plugin', 'mmengine', 'mmcv', 'mmpretrain')


def explain_registry(error: Exception) -> str | None:
    """Explain a type that no registry knows, or that is missing.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    message = one_line(error)
    if isinstance(error, KeyError) and 'must contain the key "type"' in message:
        return _explain_no_type(error)
    if isinstance(error, KeyError) and ' is not in the ' in message and ' registry' in message:
        name, _, rest = message.partition(' is not in the ')
        registry = rest.split(' registry', 1)[0]
        return (
            f"unknown type '{name}' in the config: it is not in the {registry} registry; check its spelling, "
            'or name the module that defines it in custom_imports'
        )
    return None


def _explain_no_type(error: Exception) -> str | None:
    """Say which part of a config has no type: a misspelt option has made it, perhaps."""
    part, *outer = local_values(error, 'cfg') or [None]  # copies
    outer += [owner.cfg for owner in local_values(error, 'self') if hasattr(owner, 'cfg')]
    wholes = [{key: whole[key] for key in whole} for whole in outer if isinstance(whole, Config)]
    place = next((place for whole in wholes for place, found in dicts_in(whole) if place and found == part), None)
    if place is None:
        return None
    hooks = {name for known in local_values(error, 'default_hooks') for name in known or ()}
    others = hooks - {place[-1]} if place[0] == 'default_hooks' else ()
    return f'{".".join(map(str, place))} in the config has no type{did_you_mean(str(place[-1]), others)}'


def explain_arguments(error: Exception) -> str | None:
    """Explain a config that gives a class an argument it does not have, or leaves one out.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if not isinstance(error, TypeError):
        return None
    unknown = re.search(r"set_randomness\(\) got an unexpected keyword argument '(.+)'", str(error))
    if unknown:
        similar = did_you_mean(unknown[1], ('seed', 'diff_rank_seed', 'deterministic'))
        return f'the config does not fit randomness: there is no randomness.{unknown[1]}{similar}'
    *_, last = frames(error)
    code, module = last.tb_frame.f_code, last.tb_frame.f_globals.get('__name__', '')
    # The framework makes the call from the config; a subclass hands unknown arguments on to its parent.
    called = module in {'mmengine.registry.build_functions', 'mmengine.runner.runner'}
    handed_on = code.co_name == '__init__' and code.co_flags & inspect.CO_VARKEYWORDS
    if re.search(r'__init__\(\) (got an unexpected|missing) ', str(error)) and (called or handed_on):
        return f'the config does not fit the class: {one_line(error)}'
    return None


def explain_timm(error: Exception) -> str | None:
    """Explain a network that timm does not know.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if isinstance(error, RuntimeError) and raised_in(error, 'timm') and str(error).startswith('Unknown model'):
        name = local_text(error, 'model_name', 'model')
        return f'timm has no network {name!r}: check the spelling of model_name; timm.list_models() names them all'
    return None


def explain_optimizer(error: Exception) -> str | None:
    """Explain an optimizer that does not exist, which mmengine does not check, or that refuses its arguments.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if isinstance(error, TypeError) and str(error) == 'None is not a callable object':
        configs = [getattr(owner, 'optimizer_cfg', {}) for owner in local_values(error, 'self')]
        name = next((config['type'] for config in configs if 'type' in config), None)
        return f"unknown type '{name}' in the config: there is no such optimizer; check its spelling"
    if isinstance(error, (TypeError, ValueError)) and raised_in(error, 'torch.optim'):
        return f'the config does not fit optim_wrapper.optimizer: {one_line(error)}'
    return None


def explain_loader(error: Exception) -> str | None:
    """Explain numbers of a dataloader or a loop, or a seed, that torch, Python and numpy refuse.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if not isinstance(error, (TypeError, ValueError)):
        return None
    if raised_in(error, 'torch.utils.data'):
        return f'the config does not fit the dataloader: {one_line(error)}'
    if any(entry.tb_frame.f_code.co_name == 'set_random_seed' for entry in frames(error)):
        return f'the config does not fit randomness.seed: {one_line(error)}'
    length = next((name for name in ('max_epochs', 'max_iters') if local_values(error, name)), None)
    if length and raised_in(error, 'mmengine.runner.loops') and not deliberate(error, 'mmengine'):
        return f'the config does not fit train_cfg.{length}: {one_line(error)}'
    return None


def explain_samples(error: Exception) -> str | None:
    """Explain indices that a data set does not have, a data set without samples, and a list that cannot be read.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if not isinstance(error, (IndexError, ValueError)):
        return None
    *_, last = frames(error)
    code, found = last.tb_frame.f_code.co_name, last.tb_frame.f_locals
    owner: Any = found.get('self')
    if raised_in(error, 'mmengine.dataset'):
        if isinstance(error, IndexError) and code.endswith('_subset'):
            return f'{type(owner).__name__}: indices={found.get("indices")} names a sample that is not there'
        if code == '_serialize_data':
            return f'{type(owner).__name__} has no samples: do indices, ann_file or the folder leave any?'
    if raised_in(error, 'mmpretrain.datasets.custom') and 'sample' in found:
        line = ' '.join(found['sample'])
        return f'{owner.ann_file}: {line!r} is not a path and, after a space, a label, which is a whole number'
    return None


def explain_files(error: Exception) -> str | None:
    """Explain a file that is missing or unreadable, and a download that failed.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if _stopped_download(error):
        return _explain_download(error)
    if isinstance(error, (ConnectionError, TimeoutError)) or not isinstance(error, OSError):
        return None
    if line := explain_open_file(error):
        return line
    if error.filename is not None:
        return f'{os.path.normpath(error.filename)}: {error.strerror or one_line(error)}; check the path'
    return one_line(error)


def explain_full_disk(error: Exception) -> str | None:
    """Explain that a file could not be written for want of space.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if not isinstance(error, OSError) or error.errno not in NO_SPACE:
        return None
    # Writing to an open file does not tell which: it is the checkpoint, or something else in the work directory.
    name = error.filename or local_text(error, 'file_path', None) or local_text(error, 'work_dir', 'a file')
    return f'{name} cannot be written: {error.strerror}; make room, and go on with --resume'


def explain_open_file(error: Exception) -> str | None:
    """Explain a file that cannot be replaced, as on Windows where another program has it open.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if not isinstance(error, PermissionError) or error.filename2 is None:
        return None
    return (
        f'{os.path.normpath(error.filename2)} cannot be replaced: {error.strerror}; if another program has it open, '
        'such as a spreadsheet, close it there, and start again, a training with --resume'
    )


def _stopped_download(error: Exception) -> bool:
    """Tell whether a download did not begin, broke off, or brought something else."""
    if isinstance(error, urllib.error.URLError):
        return True
    kinds = (OSError, RuntimeError, http.client.HTTPException)
    # download_url of mmpretrain, and download_url_to_file of mmpretrain and torch.hub
    names = (entry.tb_frame.f_code.co_name for entry in frames(error))
    return isinstance(error, kinds) and any(name.startswith('download_url') for name in names)


def _explain_download(error: Exception) -> str:
    """Name address and folder of a failed download, which the exception itself does not tell."""
    url = local_text(error, 'url', None)
    what = f'cannot download {url or "a file"}: {one_line(getattr(error, "reason", error))}'
    root = local_text(error, 'root', None)
    if root is None:
        return f'{what}; fetch it by hand and give its path'
    file = os.path.basename(url) if url else 'it'
    return f'{what}; put {file} into {os.path.normpath(root)}, or set data_root to a folder that holds the data set'


def explain_weights(key: str) -> Explainer:
    """Make an explainer of weights to start from that are missing.

    Args:
        key (str): Where the config names them, such as ``'model.backbone.init_cfg'``.

    Returns:
        Explainer: The explainer.
    """

    def explain(error: Exception) -> str | None:
        line = explain_files(error)
        return line and (
            f'{key}: {line} (--cfg-options {key}.checkpoint=FILE), or start from random weights, which need many more '
            f'images (--cfg-options {key}=None)'
        )

    return explain


def explain_validation(error: Exception) -> str | None:
    """Explain an argument that the framework or this package checked and refused.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    kinds = (ValueError, TypeError, RuntimeError, AssertionError, KeyError, ImportError, NotImplementedError)
    # A bare key or an empty assertion tells nobody anything: show where it happened.
    if isinstance(error, kinds) and ' ' in one_line(error) and deliberate(error, *FRAMEWORK):
        return one_line(error)
    return None


def explain_own_validation(error: Exception) -> str | None:
    """Explain what this package refuses while a run is going on, such as a class without samples.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if isinstance(error, (ValueError, RuntimeError, FileNotFoundError)) and deliberate(error, 'tcl_plugin'):
        return one_line(error)
    return None


def explain_config(error: Exception) -> str | None:
    """Explain an exception that a config's own lines, or the reading of them, brought up.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if isinstance(error, UnicodeDecodeError):
        return f'no text in UTF-8: {error}'
    if isinstance(error, SyntaxError):
        return f'{local_text(error, "filename", "a base")}, line {error.lineno}: {error.msg}'
    if isinstance(error, ImportError) and "No module named 'pkg_resources'" in str(error):
        return (
            "a base such as 'mmpretrain::...' needs pkg_resources, which new releases of setuptools lack: "
            "pip install 'setuptools<81'"
        )
    if isinstance(error, ImportError):
        return f'custom_imports: {one_line(_first_cause(error))}; is the folder of the module on PYTHONPATH?'
    *_, last = frames(error)
    if '__name__' not in last.tb_frame.f_globals:
        # mmengine runs configs in a namespace of their own, which has no module name.
        return f'{last.tb_frame.f_code.co_filename}, line {last.tb_lineno}: {type(error).__name__}: {one_line(error)}'
    if deliberate(error, 'mmengine'):
        return one_line(error)
    return None


def _first_cause(error: BaseException) -> BaseException:
    """Return the exception at the start of a chain."""
    while earlier := error.__cause__ or error.__context__:
        error = earlier
    return error


def explain_checkpoint(error: Exception) -> str | None:
    """Explain a checkpoint that is missing, broken, of another model, or not of this kind.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if isinstance(error, pickle.UnpicklingError):
        found = re.search(r'(?i)unsupported global:? (?:GLOBAL )?([\w.]+)', str(error))
        if found is None:
            return 'it is not a file of torch.save'
        return f'not loaded, for safety: it holds {found[1]}, and only weights, numbers and log history are accepted'
    if isinstance(error, RuntimeError) and 'PytorchStreamReader' in str(error):
        return 'the file is damaged or cut short'
    if isinstance(error, EOFError):
        return 'the file is empty or cut short'
    if raised_in(error, 'torch._weights_only_unpickler'):
        return 'it is not a file of torch.save'
    if isinstance(error, KeyError) and raised_in(error, 'mmengine', 'mmpretrain'):
        return f'it has no {error}, so it is not a whole checkpoint of a training run'
    loading = ('torch.serialization', 'torch.optim', 'mmengine')
    if isinstance(error, (RuntimeError, ValueError)) and raised_in(error, *loading):
        return one_line(error)
    return explain_own_validation(error)


def explain_device(device: str, error: Exception) -> str | None:
    """Explain a device that is not there. For use around the move to it alone.

    Args:
        device (str): The device.
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if isinstance(error, (RuntimeError, AssertionError)):
        return f'device {device}: {one_line(error)}'
    return None
