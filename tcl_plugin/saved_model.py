# SPDX-License-Identifier: Apache-2.0
"""A model and its config from a checkpoint, without running code that comes with it."""

import ast
import copy
from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import BaseModel
from mmengine.runner import CheckpointLoader
from mmengine.utils import import_modules_from_strings
from mmpretrain import get_model

from . import cli, compat  # noqa: F401  compat lets checkpoints load with weights_only=True
from .errors import explained
from .explain import explain_checkpoint
from .hooks.label_noise_hook import pipeline_of_loader

#: Packages that the config in a checkpoint may import.
TRUSTED = ('tcl_plugin', 'mmpretrain', 'mmengine', 'mmcv')


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
    return checkpoint if 'state_dict' in checkpoint else dict(state_dict=checkpoint)


def config_of(checkpoint: dict, path: str | Path = 'checkpoint') -> Config:
    """Read the config that mmengine keeps in a checkpoint.

    Its text is Python, but only literals and ``dict(...)`` are read, and nothing is run. Of the modules
    that it names in ``custom_imports``, those of :data:`TRUSTED` packages are imported.

    Args:
        checkpoint (dict): See :func:`read_checkpoint`.
        path (str | Path): Its file, for messages.

    Returns:
        Config: The config.

    Raises:
        ValueError: If it has none, or one of another form, or one that imports other packages.
    """
    text = checkpoint.get('meta', {}).get('cfg')
    if not isinstance(text, str):
        raise ValueError(f'checkpoint {path} has no config in its meta: name one by --config')
    try:
        values = parse_config(text)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f'the config in checkpoint {path} cannot be read ({error}): name one by --config') from error
    modules = (values.get('custom_imports') or {}).get('imports', [])
    modules = [modules] if isinstance(modules, str) else modules
    strange = [name for name in modules if name.split('.')[0] not in TRUSTED]
    if strange:
        raise ValueError(
            f'the config in checkpoint {path} would import {", ".join(strange)}, and a checkpoint must not choose '
            'what code is run: name a config that you trust by --config'
        )
    import_modules_from_strings(modules, allow_failed_imports=False)
    return Config(values)


def parse_config(text: str) -> dict:
    """Read ``Config.pretty_text`` without running it.

    Args:
        text (str): Lines ``name = value`` of literals and ``dict(...)``.

    Returns:
        dict: The values by name.

    Raises:
        SyntaxError: If it is no Python.
        ValueError: If there is anything else in it.
    """
    values = {}
    for line in ast.parse(text).body:
        if not isinstance(line, ast.Assign) or len(line.targets) != 1 or not isinstance(line.targets[0], ast.Name):
            raise ValueError(f'line {line.lineno} is not of the form name = value')
        values[line.targets[0].id] = _value_of(line.value)
    return values


def _value_of(node: ast.expr):
    """The value of a literal, of ``dict(...)``, or of any nesting of both."""
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_value_of(key): _value_of(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, (ast.List, ast.Tuple)):
        kind = list if isinstance(node, ast.List) else tuple
        return kind(_value_of(item) for item in node.elts)
    if _is_dict_call(node):
        positional = [_value_of(item) for item in node.args]
        return dict(*positional, **{word.arg: _value_of(word.value) for word in node.keywords})
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(f'line {node.lineno} holds {ast.unparse(node)[:60]!r}, which is no literal') from None


def _is_dict_call(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != 'dict':
        return False
    return len(node.args) <= 1 and all(word.arg is not None for word in node.keywords)


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
    return get_model(cfg, pretrained=False)


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
        ValueError: If weights are missing, of other shapes, or of another model.
    """
    model = new_model(cfg)
    weights = {name.removeprefix('module.'): value for name, value in checkpoint['state_dict'].items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f'checkpoint {path} does not fit the config: {error}') from error
    meta = checkpoint.get('meta', {}).get('dataset_meta')
    model._dataset_meta = copy.deepcopy(meta) if meta else model._dataset_meta
    return model.to(device).eval()


def open_model(args, plain: bool = False) -> tuple[Config, BaseModel]:
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
    with explained(explain_checkpoint, *cli.BUILDING):
        checkpoint = read_checkpoint(args.checkpoint)
        if args.config:
            cfg = cli.load_config(args, 'model')
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
