# SPDX-License-Identifier: Apache-2.0
"""Configs that come with a checkpoint or a work directory: read as data, and checked before anything is built of them.

Literals alone are not harmless: where mmengine's registries do not know a ``type``, they import it, so that
``dict(type='os.system', command=...)`` would run a command.
"""

import ast
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard

import mmengine.registry
import mmpretrain.registry
import torch
from mmengine.registry import Registry
from mmengine.utils import import_modules_from_strings
from mmpretrain.utils import register_all_modules

from .config_parts import dicts_in

#: Packages whose modules such a config may import, and whose registered parts it may name.
TRUSTED = ('tcl_plugin', 'mmpretrain', 'mmengine', 'mmcv')

#: Environment variable by which a person trusts the configs in work directories.
TRUST_VARIABLE = 'TCL_TRUST_CONFIG'

# Where registered parts may be defined; torch's optimizers and layers are registered too.
_HOMES = (*TRUSTED, 'torch', 'torchvision')

# What fetches code, unpickles files that its arguments name, or evaluates these as Python.
_UNSAFE_HOMES = (
    'mmpretrain.models.multimodal',
    'mmpretrain.models.retrievers',
    'mmpretrain.models.utils.huggingface',
    'mmpretrain.models.utils.tokenizer',
    'mmpretrain.models.classifiers.hugging_face',
    'mmpretrain.datasets.refcoco',
    'mmcv.cnn.rfsearch',
    'mmcv.ops',
)

# What mmengine reads by running what is in it.
_UNSAFE_SUFFIXES = ('.pkl', '.pickle', '.yml', '.yaml')


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
    try:
        for line in ast.parse(text).body:
            if not isinstance(line, ast.Assign) or len(line.targets) != 1 or not isinstance(line.targets[0], ast.Name):
                raise ValueError(f'line {line.lineno} is not of the form name = value')
            values[line.targets[0].id] = _value_of(line.value)
    except (RecursionError, MemoryError):
        raise ValueError('it is nested too deeply') from None
    except TypeError as error:  # dict(5), or a list as a key
        raise ValueError(str(error)) from error
    return values


def _value_of(node: ast.expr) -> Any:
    """The value of a literal, of ``dict(...)``, or of any nesting of both; ``inf`` and ``nan`` are numbers."""
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {_value_of(key): _value_of(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, (ast.List, ast.Tuple)):
        kind = list if isinstance(node, ast.List) else tuple
        return kind(_value_of(item) for item in node.elts)
    if _is_dict_call(node):
        positional = [_value_of(item) for item in node.args]
        return dict(*positional, **{word.arg: _value_of(word.value) for word in node.keywords if word.arg})
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Name):
        return -_value_of(node.operand)
    if isinstance(node, ast.Name) and node.id in ('inf', 'nan'):  # as Python writes them
        return float(node.id)
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError(f'line {node.lineno} holds {ast.unparse(node)[:60]!r}, which is no literal') from None


def _is_dict_call(node: ast.expr) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id != 'dict':
        return False
    return len(node.args) <= 1 and all(word.arg is not None for word in node.keywords)


def name_parts(values: dict) -> None:
    """Call parts by the names that registries know them by, in place.

    A pure Python config holds classes, and mmengine writes down where they were imported from, such as
    ``'mmpretrain.datasets.LoadImageFromFile'``; this package and mmpretrain look for names. Only parts that are safe
    to build get them, and no module that the config names is imported for it: what is not known stays as it is.

    Args:
        values (dict): The config.
    """
    register_all_modules(init_default_scope=False)
    known = _known_parts()
    names = {
        id(part): name if len(parts) == 1 else f'{scope}.{name}'
        for name, parts in known.items()
        for part, scope in parts.items()
    }
    for _, part_config in dicts_in(values):
        kind = part_config.get('type')
        bare = _bare_name(kind) if isinstance(kind, str) else None
        part = _at_path(kind) if isinstance(kind, str) else kind
        if bare is not None and len(known.get(bare, ())) == 1:
            part_config['type'] = bare
        elif id(part) in names:
            part_config['type'] = names[id(part)]


def _at_path(path: str) -> object:
    """What a dotted path names in a module that is there already."""
    module, _, name = path.rpartition('.')
    # Not by getattr, for which a module may import others.
    return getattr(sys.modules.get(module), '__dict__', {}).get(name)


def admit_config(values: dict, what: str, remedy: str) -> None:
    """Refuse a config by which a stranger would choose what code is run; import the trusted modules that it names.

    Args:
        values (dict): The config.
        what (str): What it is, such as ``'the config in checkpoint x.pth'``.
        remedy (str): What to do about a refusal.

    Raises:
        ValueError: If it imports another package than those of :data:`TRUSTED`, names a part by its path or one
            that they have not registered, has a scope of another package, names a file that can run code, or has a
            ``dtype`` that is none of torch's, which mmpretrain would evaluate as Python.
    """
    modules = _imports(values, what)
    strange = [name for name in modules if str(name).split('.')[0] not in TRUSTED]
    if strange:
        raise ValueError(
            f'{what} would import {", ".join(map(str, strange))}, and must not choose what code is run: {remedy}'
        )
    import_modules_from_strings(modules, allow_failed_imports=False)
    register_all_modules(init_default_scope=False)
    known = _known_parts()
    for key, value in _entries(values):
        if key == 'trust_remote_code' and value:
            raise ValueError(f'{what} would run code that comes with a network: {remedy}')
        if not isinstance(value, str):
            continue
        if key == 'dtype' and not (value.isidentifier() and isinstance(getattr(torch, value, None), torch.dtype)):
            raise ValueError(f'{what} has dtype={value!r}, which is none of torch: {remedy}')
        if key == 'type' and _bare_name(value) not in known:
            raise ValueError(
                f'{what} names {value!r}, which is no registered part of {", ".join(TRUSTED)}, and must not choose '
                f'what code is run: {remedy}'
            )
        if key in ('default_scope', '_scope_') and value not in TRUSTED:
            raise ValueError(f'{what} has the scope {value!r}, and must not choose what is imported: {remedy}')
        if value.lower().endswith(_UNSAFE_SUFFIXES):
            raise ValueError(f'{what} names the file {value!r}, of a kind that can run code: {remedy}')


def admit_recorded_config(values: dict, path: Path) -> None:
    """Do as :func:`admit_config` for a config in a work directory, unless its owner vouches for it.

    Args:
        values (dict): The config.
        path (Path): Its file, for messages.

    Raises:
        ValueError: See :func:`admit_config`.
    """
    if os.environ.get(TRUST_VARIABLE, '0') in {'', '0'}:
        admit_config(values, f'config {path}', f'{TRUST_VARIABLE}=1 in the environment lets it, if the run is yours')
    else:
        import_modules_from_strings(_imports(values, f'config {path}'), allow_failed_imports=False)


def _imports(values: dict, what: str) -> list:
    """What a config names in ``custom_imports``."""
    imports = values.get('custom_imports') or {}
    modules = imports.get('imports', []) if isinstance(imports, dict) else None
    if not isinstance(modules, (str, list, tuple)):
        raise ValueError(f'{what} has custom_imports={imports!r}, which is not dict(imports=[...])')
    return [modules] if isinstance(modules, str) else list(modules)


def _entries(value: object) -> Iterator[tuple[object, object]]:
    """All keys and values of nested containers; items of lists have no key."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, item
            yield from _entries(item)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield None, item
            yield from _entries(item)


def _bare_name(name: str) -> str:
    """A name without the scope of a trusted package."""
    scope, _, rest = name.partition('.')
    return rest if scope in TRUSTED else name


def _known_parts() -> dict[str, dict[Any, str]]:
    """Names that the registries know, and the scopes of parts of that name that are safe with any arguments."""
    found: dict[str, dict[Any, str]] = {}
    seen: set[int] = set()
    todo = [
        value
        for module in (mmengine.registry, mmpretrain.registry)
        for value in vars(module).values()
        if isinstance(value, Registry)
    ]
    while todo:
        registry = todo.pop()
        if id(registry) not in seen:
            seen.add(id(registry))
            todo.extend(registry.children.values())
            for name, part in registry.module_dict.items():
                if is_safe_part(part):
                    found.setdefault(name, {})[part] = registry.scope
    return found


def is_safe_part(part: object) -> bool:
    """Tell whether a registered part may be built with arguments that a stranger has chosen.

    Args:
        part (object): A class, a function, or a partial of one.

    Returns:
        bool: Whether it is defined in a package that is known, and does not fetch code or unpickle files.
    """
    home = getattr(part.func if isinstance(part, partial) else part, '__module__', '') or ''
    return home.split('.')[0] in _HOMES and not home.startswith(_UNSAFE_HOMES)
