# SPDX-License-Identifier: Apache-2.0
"""A model and its config from a checkpoint, without running code that comes with it."""

import argparse
import copy
from functools import partial
from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader
from mmpretrain import get_model
from torch import nn

from . import cli, compat
from .errors import explained
from .explain import explain_checkpoint, explain_device, explain_files
from .foreign_config import admit_config, name_parts, parse_config
from .hooks.pass_loader import pipeline_of_loader

REMEDY = 'name a config that you trust by --config'


def read_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint to the CPU. Pickled code in it is refused, not run.

    Args:
        path (str | Path): A path, or an address that mmengine knows.

    Returns:
        dict: Its content.

    Raises:
        pickle.UnpicklingError: If it holds more than weights, numbers and log history.
        ValueError: If it holds no weights.
    """
    checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location='cpu', logger='silent')
    if not isinstance(checkpoint, dict):
        raise ValueError(f'checkpoint {path} holds a {type(checkpoint).__name__}, not weights by name')
    checkpoint = checkpoint if 'state_dict' in checkpoint else dict(state_dict=checkpoint)
    weights, meta = checkpoint['state_dict'], checkpoint.get('meta', {})
    if not isinstance(weights, dict) or not all(isinstance(name, str) for name in weights):
        raise ValueError(f'checkpoint {path} holds no weights by name')
    if not isinstance(meta, dict):
        raise ValueError(f'checkpoint {path}: its meta is a {type(meta).__name__}, not a dict')
    return checkpoint


def open_checkpoint(path: str | Path) -> dict:
    """Read a checkpoint; see :func:`read_checkpoint`.

    Args:
        path (str | Path): A path, or an address that mmengine knows.

    Returns:
        dict: Its content.

    Raises:
        UserError: If it cannot be read. The error names the file.
    """

    def explain(error: Exception) -> str | None:
        line = explain_files(error) or explain_checkpoint(error)
        return line if line is None or str(path) in line else f'checkpoint {path}: {line}'

    with explained(explain):
        return read_checkpoint(path)


def config_of(checkpoint: dict, path: str | Path = 'checkpoint') -> Config:
    """Read the config that mmengine keeps in a checkpoint.

    Its text is Python, but only literals and ``dict(...)`` are read, and nothing is run. What it names is
    checked by :func:`admit_config`.

    Args:
        checkpoint (dict): See :func:`read_checkpoint`.
        path (str | Path): Its file, for messages.

    Returns:
        Config: The config.

    Raises:
        ValueError: If it has none, or one of another form, or one that would choose what code is run.
    """
    text = checkpoint.get('meta', {}).get('cfg')
    if not isinstance(text, str):
        raise ValueError(f'checkpoint {path} has no config in its meta: name one by --config')
    try:
        values = parse_config(text)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f'the config in checkpoint {path} cannot be read ({error}): name one by --config') from error
    name_parts(values)
    admit_config(values, f'the config in checkpoint {path}', REMEDY)
    if not isinstance(values.get('model'), dict):
        raise ValueError(f'the config in checkpoint {path} has no model: name one by --config')
    return Config(values)


def new_model(cfg: Config) -> BaseModel:
    """Build a model with fresh weights.

    Args:
        cfg (Config): Its config.

    Returns:
        BaseModel: The model in evaluation mode, with ``_config`` and ``_dataset_meta`` as mmpretrain's
        inferencers expect them.
    """
    cfg = copy.deepcopy(cfg)
    if cfg.get('test_dataloader') is None:
        # mmpretrain looks into it where it is there at all.
        cfg.pop('test_dataloader', None)
    _load_nothing(cfg.model)
    # Weights that parts of the model load by themselves are no more to be trusted than the checkpoint.
    with compat.weights_only():
        return get_model(cfg, pretrained=False)


def _load_nothing(part: dict) -> None:
    """Keep timm from fetching weights, which others are to replace."""
    if str(part.get('type')).endswith('TIMMBackbone'):
        part['pretrained'] = False
    for inner in part.values():
        if isinstance(inner, dict):
            _load_nothing(inner)


def build_model(cfg: Config, checkpoint: dict, device: str = 'cpu', path: str | Path = 'checkpoint') -> BaseModel:
    """Build a model, with the weights of a checkpoint, for use.

    Args:
        cfg (Config): Its config.
        checkpoint (dict): See :func:`read_checkpoint`.
        device (str): Where it is to run. Defaults to ``'cpu'``.
        path (str | Path): File of the checkpoint, for messages.

    Returns:
        BaseModel: See :func:`new_model`.

    Raises:
        UserError: If there is no such device.
        ValueError: If weights are missing, of other shapes, or of another model, or the names of classes are
            not those of the model.
    """
    model = new_model(cfg)
    weights = {name.removeprefix('module.'): value for name, value in checkpoint['state_dict'].items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f'checkpoint {path} does not fit the config: {error}') from error
    meta = checkpoint.get('meta', {}).get('dataset_meta')
    if meta:
        _check_classes(meta, model, path)
        model._dataset_meta = copy.deepcopy(meta)
    with explained(partial(explain_device, device)):
        return model.to(device).eval()


def _check_classes(meta: object, model: BaseModel, path: str | Path) -> None:
    """Refuse names of classes that are none, or not one for each class of the model."""
    classes = meta.get('classes') if isinstance(meta, dict) else meta
    if classes is None and isinstance(meta, dict):
        return
    number = getattr(model.head, 'num_classes', None)
    if not isinstance(classes, (list, tuple)) or len(classes) != (number or len(classes)):
        raise ValueError(f'checkpoint {path}: its dataset_meta does not name the {number} classes of the model')


def open_model(args: argparse.Namespace, plain: bool = False) -> tuple[Config, BaseModel]:
    """Build the model of a checkpoint as a command line says.

    Args:
        args (argparse.Namespace): The parsed arguments: ``checkpoint``, ``config`` (None for the one that
            the checkpoint holds), ``cfg_options`` and ``device`` (None for the accelerator if there is one).
        plain (bool): Whether to leave out what :func:`plain_model_config` takes out. Defaults to False.

    Returns:
        tuple[Config, BaseModel]: Config and model.

    Raises:
        UserError: If they do not load, or do not fit one another.
    """
    cli.check_checkpoint(args.checkpoint)
    checkpoint = open_checkpoint(args.checkpoint)
    with explained(*cli.BUILDING):
        if args.config:
            cfg = cli.load_config(args, 'model')
            name_parts({key: cfg[key] for key in cfg})  # a pure Python config has classes
        else:
            cfg = config_of(checkpoint, args.checkpoint)
            args.config = f'in {args.checkpoint}'
            cli.merge_options(cfg, args)
        cfg = plain_model_config(cfg) if plain else cfg
        return cfg, build_model(cfg, checkpoint, args.device or get_device(), args.checkpoint)


def plain_model_config(cfg: Config, *switches: str) -> Config:
    """Switch off what only makes a network faster.

    Args:
        cfg (Config): The config.
        *switches (str): ``'bfloat16'`` or ``'compile'``; both, where none is named.

    Returns:
        Config: A copy of the config.
    """
    cfg = copy.deepcopy(cfg)
    for switch in switches or ('bfloat16', 'compile'):
        if switch in cfg.model:
            cfg.model[switch] = False
    return cfg


def find_pipeline(cfg: Config) -> list[dict]:
    """Find the pipeline of tests, or else of validation, under any wrappers.

    Args:
        cfg (Config): The config.

    Returns:
        list[dict]: Configs of the transforms.

    Raises:
        ValueError: If there is none.
    """
    for name in ('test_dataloader', 'val_dataloader'):
        pipeline = pipeline_of_loader(cfg.get(name) or {})
        if pipeline:
            return pipeline
    raise ValueError('the config has no pipeline in test_dataloader or val_dataloader')


def size_of_views(model: nn.Module) -> tuple[int, int] | None:
    """Find the size at which a network has seen its training images.

    Args:
        model (nn.Module): The network.

    Returns:
        tuple[int, int], optional: Height and width of its first views; None where nothing settles them.
    """
    views = getattr(model.data_preprocessor, 'views', None)
    side = (0, 0)
    for transform in views[0][1] if views else []:
        side = transform.output_size(side)
    return None if 0 in side else side


def loads_bgr(pipelines: dict | list) -> bool:
    """Tell whether images of a config come as blue, green, red.

    mmpretrain's ``LoadImageFromFile`` gives this order. Data sets that bring arrays (CIFAR and others) bring red,
    green, blue.

    Args:
        pipelines (dict | list): Config of a data set, or a pipeline.

    Returns:
        bool: Whether any ``LoadImageFromFile`` is in it.
    """
    if isinstance(pipelines, dict):
        if str(pipelines.get('type')).endswith('LoadImageFromFile'):
            return True
        pipelines = list(pipelines.values())
    return isinstance(pipelines, (list, tuple)) and any(loads_bgr(p) for p in pipelines if isinstance(p, (dict, list)))


def sees_bgr(model: BaseModel, pipelines: dict | list) -> bool:
    """Tell whether the network itself gets blue, green, red.

    Args:
        model (BaseModel): The model.
        pipelines (dict | list): See :func:`loads_bgr`.

    Returns:
        bool: Whether images come in this order and the data preprocessor leaves them so.
    """
    return loads_bgr(pipelines) and not model.data_preprocessor.to_rgb
