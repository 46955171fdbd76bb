# SPDX-License-Identifier: Apache-2.0
"""The pieces of a run that was stopped and went on, and what each of them trained."""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..foreign_config import name_parts, parse_config
from .records import first_epoch, pieces_in

NOISES = {
    *('SymmetricNoise', 'SymmetricExclusiveNoise', 'AsymmetricNoise', 'AsymmetricPerClassNoise', 'PairFlipNoise'),
    *('TransitionMatrixNoise', 'InstanceDependentNoise', 'MarginDiminishingNoise', 'OpenSetNoise'),
}
# Hooks that measure, and leave training as it is.
LOOKERS = ('HeldOutHook', 'KNNAccuracyHook')


def read_literals(path: Path) -> dict:
    """Read a config as mmengine writes it; nothing in it is run.

    Args:
        path (Path): The config.

    Returns:
        dict: Its values.

    Raises:
        ValueError: If it is not as mmengine writes it.
    """
    try:
        values = parse_config(path.read_text(encoding='utf-8'))
    except (SyntaxError, ValueError) as error:
        raise ValueError(f'config {path} is not as mmengine writes it into a work directory: {error}') from error
    if '_base_' in values:
        raise ValueError(f'config {path} has a _base_: it is not as mmengine writes it into a work directory')
    name_parts(values)
    return values


def check_training(values: dict, path: Path) -> dict:
    """Refuse a config that is not of a training.

    Args:
        values (dict): Its values.
        path (Path): Where they come from, for the message.

    Returns:
        dict: ``values``.

    Raises:
        ValueError: If it is not.
    """
    for key in ('train_cfg', 'train_dataloader'):
        if not isinstance(values.get(key), dict):
            raise ValueError(f'config {path} is not of a training: it has no {key}')
    return values


def latest_pieces(work_dir: Path) -> list[Path]:
    """Find the pieces that the latest training in a work directory consists of.

    Args:
        work_dir (Path): The work directory.

    Returns:
        list[Path]: Their folders, in order: those that have recorded something, without pieces all of whose epochs
        were trained again.
    """
    found: list[tuple[int, Path]] = []
    for piece in pieces_in(work_dir):
        first = first_epoch(piece)
        # A training that was begun anew replaces all before it, a look at the labels before the first epoch too.
        found = [(begun, earlier) for begun, earlier in found if first > 1 and begun < first]
        found.append((first, piece))
    return [piece for _, piece in found]


def config_of(piece: Path) -> dict | None:
    """Read the config of a piece.

    Args:
        piece (Path): Its folder.

    Returns:
        dict, optional: The values; None where the backend has not written them.

    Raises:
        ValueError: If it is not as mmengine writes it, or not of a training.
    """
    file = piece / 'vis_data' / 'config.py'
    return check_training(read_literals(file), file) if file.exists() else None


def as_made(config: dict, info: dict[str, Any]) -> dict:
    """Put the noise that a label file was made by in the place of the file.

    Args:
        config (dict): Config of a piece.
        info (dict[str, Any]): What :func:`read_piece_info` says of it.

    Returns:
        dict: A config whose training set has noise as if it made it itself, and ``from_file`` in the place of
        ``label_file``; the same config where it has no such file, or nothing says how that was made.
    """
    dataset, made = config['train_dataloader']['dataset'], info.get('labels_made')
    if not made or not dataset.get('label_file'):
        return config
    noise = dict(made['parameters'], type=made['kind'], seed=made['seed']) if made['kind'] else None
    open_set = dataset.get('open_set')
    if open_set and open_set.get('rate') is None:  # the file says which images are replaced
        open_set = dict(open_set, rate=made['open_set_nominal_rate'], seed=made['open_set_seed'])
    # Where there is no seed, only the labels themselves tell one file from another.
    from_file = made['given_labels_sha256'] if noise and made['seed'] is None else True
    kept = {key: value for key, value in dataset.items() if key not in ('label_file', 'label_key')}
    dataset = dict(kept, noise=noise, open_set=open_set, from_file=from_file)
    return dict(config, train_dataloader=dict(config['train_dataloader'], dataset=dataset))


def data_seeds(config: dict) -> tuple[int, ...]:
    """Seeds of what a run is trained on.

    Args:
        config (dict): Config of a piece, see :func:`as_made`.

    Returns:
        tuple[int, ...]: Those of the noise, of the images that replace others, and of those held out.
    """
    dataset = config['train_dataloader']['dataset']
    parts = (dataset.get(part) for part in ('noise', 'open_set'))
    found = ((part.get('type'), part.get('seed')) for part in parts if part)
    # Generators of this package have a seed of 0 unless a config says otherwise; those of others may have none.
    seeds = (0 if seed is None and kind in NOISES else seed for kind, seed in found)
    held_out = [dataset.get('held_out_seed', 0)] if dataset.get('held_out') else []
    return (*(seed for seed in seeds if seed is not None), *held_out)


def recipes(configs: Sequence[dict], infos: Sequence[dict[str, Any]]) -> list[str]:
    """Digests of what makes a run, but for its seeds and where it lies.

    Args:
        configs (Sequence[dict]): Configs of its pieces, in order.
        infos (Sequence[dict[str, Any]]): What :func:`read_piece_info` says of each.

    Returns:
        list[str]: One, or more of a run whose pieces differ; each once.
    """
    first = configs[0]
    configs = [as_made(config, info) for config, info in zip(configs, infos, strict=True)]
    # A resumed piece names the checkpoint that it goes on from.
    weights = _weights(first['load_from']) if first.get('load_from') and not first.get('resume') else None
    found = [_recipe(config, weights, info) for config, info in zip(configs, infos, strict=True)]
    seeds = [data_seeds(config) for config in configs]
    if len(set(seeds)) > 1:  # not one seed, but other labels or images on the way
        found = [f'{recipe}/{",".join(map(str, own))}' for recipe, own in zip(found, seeds, strict=True)]
    return list(dict.fromkeys(found))


def _weights(path: str) -> str:
    """Which checkpoint a run begins from: of which config and epoch, whatever seed and wherever that lies."""
    return '/'.join([part for part in Path(path).parts if not re.fullmatch(r'seed\d+', part)][-2:])


def _take_out_lookers(content: dict) -> None:
    """Take out hooks that only look, so that runs with and without are of one recipe, wherever a config has them."""
    custom, default = content.pop('custom_hooks', None) or [], content.pop('default_hooks', None) or {}
    asked = [hook for hook in (*default.values(), *custom) if (hook or {}).get('type') == 'KNNAccuracyHook']
    content['custom_hooks'] = [hook for hook in custom if hook.get('type') not in LOOKERS]
    content['default_hooks'] = {key: hook for key, hook in default.items() if (hook or {}).get('type') not in LOOKERS}
    # The share held out is the data set's; but what other neighbours say is no second seed of the same figure.
    settings = [{key: value for key, value in hook.items() if key not in ('type', 'priority')} for hook in asked]
    content['neighbors'] = [told for told in settings if told]


def _recipe(content: dict, load_from: str | None, info: dict[str, Any]) -> str:
    content = json.loads(json.dumps(content, default=str))
    work_dir = content.get('work_dir')
    for key in ('randomness', 'work_dir', 'resume', 'launcher'):
        content.pop(key, None)
    _take_out_lookers(content)
    # On more processes a batch is larger, and the learning rate with it.
    content.update(load_from=load_from, processes=info.get('processes', 1))
    content['train_dataloader']['dataset'].pop('held_out_seed', None)
    for part in ('noise', 'open_set'):
        (content['train_dataloader']['dataset'].get(part) or {}).pop('seed', None)
    if work_dir:  # in which lists of a folder's images lie
        # Paths of lists are absolute: what leads upwards is not in them.
        named = [part for part in Path(os.path.normpath(work_dir)).parts if part != os.pardir]
        content = _without_folder(content, os.path.join(*named, '')) if named else content
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _without_folder(value: Any, folder: str) -> Any:
    """Take a folder, and what is above it, from the front of all paths in a config."""
    if isinstance(value, dict):
        return {key: _without_folder(inner, folder) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_folder(inner, folder) for inner in value]
    if isinstance(value, str) and (value.startswith(folder) or f'{os.sep}{folder}' in value):
        return value.rpartition(folder)[2]
    return value
