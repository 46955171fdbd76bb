# SPDX-License-Identifier: Apache-2.0
"""A config under another noise."""

import os
import re
from pathlib import Path

from mmengine.config import Config

from ..atomic import write_text
from ..errors import UserError

NOISE = re.compile(r'(?P<kind>sym|asym)(?P<rate>\d\d)')
IN_NAME = re.compile(r'(?<=_)a?sym\d\d$')
# Of asymmetric noise, by the data set of the config.
MAPPINGS = {'CIFAR10': 'cifar10', 'CIFAR100': 'cifar100_superclass', 'FashionMNISTRGB': 'fashion_mnist'}


def noise_of(config: Path) -> str | None:
    """Read the noise from the name of a config.

    Args:
        config (Path): The config.

    Returns:
        str, optional: Such as ``'sym80'``; None where the name does not end in one.
    """
    found = IN_NAME.search(config.stem)
    return found[0] if found else None


def with_noise(config: Path, noise: str | None, folder: Path) -> Path:
    """Find the config of the same method, network and data under another noise, or write it.

    Args:
        config (Path): The config.
        noise (str, optional): Name of the noise, as :data:`NOISE` has it; None keeps the config's own.
        folder (Path): Where to write.

    Returns:
        Path: A config of that name beside ``config`` where there is one, such as one whose method has
        other arguments under that noise; otherwise ``config`` with the noise replaced.

    Raises:
        UserError: If the config is missing, names no noise that could be replaced, or its data set
            has no mapping for asymmetric noise.
    """
    if not config.is_file():
        raise UserError(f'config {config} does not exist')
    if noise is None or config.stem.endswith(f'_{noise}'):
        return config
    dataset = Config.fromfile(config, import_custom_modules=False).train_dataloader.dataset
    if noise_of(config) is None or not dataset.get('noise'):
        raise UserError(f'{config}: its name does not end in sym or asym, so that {noise} cannot take the place of it')
    name = IN_NAME.sub(noise, config.stem)
    if config.with_name(f'{name}.py').is_file():
        return config.with_name(f'{name}.py')
    path = folder / f'{name}.py'
    path.parent.mkdir(parents=True, exist_ok=True)
    new = _noise_config(noise, dataset.dataset.type)
    base = os.path.relpath(config, path.parent)
    if base != os.path.relpath(config.resolve(), path.parent.resolve()):
        # There are links on the way: where `..` leads to, mmengine and the system say differently.
        base = str(config.resolve())
    text = f'_base_ = {base!r}\n\ntrain_dataloader = dict(dataset=dict(noise={new!r}))\n'
    # Another sweep may be reading it.
    if not path.is_file() or path.read_text(encoding='utf-8') != text:
        write_text(path, text)
    return path


def same_but_for_noise(one: Path, other: Path) -> bool:
    """Tell whether two configs differ in the noise alone.

    Args:
        one (Path): A config.
        other (Path): Another one, or the same.

    Returns:
        bool: Whether they do.
    """
    if one.resolve() == other.resolve():
        return True
    found = []
    for path in (one, other):
        content = Config.fromfile(path, import_custom_modules=False).to_dict()
        content['train_dataloader']['dataset'].pop('noise', None)
        found.append(content)
    return found[0] == found[1]


def _noise_config(noise: str, dataset: str) -> dict:
    parts = NOISE.fullmatch(noise)
    assert parts is not None  # the command line has been looked at
    kind, rate = parts.groups()
    new = dict(_delete_=True, type='SymmetricNoise', rate=int(rate) / 100, seed=0)
    if kind == 'asym':
        if dataset not in MAPPINGS:
            raise UserError(f'--noises {noise}: {dataset} has no mapping of similar classes')
        new.update(type='AsymmetricNoise', mapping=MAPPINGS[dataset])
    return new
