# SPDX-License-Identifier: Apache-2.0
"""Complete a config that leaves values open, in every process alike.

``auto_setup`` of the config is built from TASK_UTILS. It has ``homes``, the keys at which a person may choose a value,
by its name; ``chosen(cfg)``, what a person has chosen there; ``check(cfg)``, which refuses what makes no sense; and
calling it with the config gives all values by name, and lines for the log.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, init_dist, is_distributed
from mmengine.registry import DefaultScope
from mmpretrain.registry import TASK_UTILS

from ..checkpoints import recorded_checkpoint
from ..errors import UserError, explained
from ..moved_lists import LISTS, found_list, path_from_anywhere
from ..saved_model import config_of, read_checkpoint
from .machine import is_first_process
from .own_lists import remade_name
from .own_values import LIST_HOMES
from .placeholders import dotted, fill, is_open, look_up, open_values


@dataclass
class Decision:
    """What was settled by one process, for all.

    Attributes:
        values (dict[str, Any]): Values by name.
        notes (list[str]): Lines for the log.
        own (dict[str, Any]): A person's own values as they were understood, such as a path in full, by keys as
            ``--cfg-options`` has them.
        complaint (str, optional): Why there is no decision.
    """

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    own: dict[str, Any] = field(default_factory=dict)
    complaint: str | None = None


def decide(cfg: Config, *explainers: Callable, prepare: Callable[[], Any] | None = None) -> Decision | None:
    """Settle what a config leaves open, in the first process.

    A training that is resumed takes the values from the config in its checkpoint; otherwise ``auto_setup`` finds them.
    It must be done before the processes form a group: of a trial, losses would wait for those of other processes.

    Args:
        cfg (Config): The config.
        *explainers (Callable): See :func:`explained`.
        prepare (Callable, optional): What else only the first process does, such as fetching weights; after choices
            that make no sense are refused, and before images are looked at, which takes longer. Defaults to None.

    Returns:
        Decision | None: What was settled, or why nothing was; None in other processes.
    """
    if not is_first_process(cfg.get('launcher', 'none')):
        return None
    try:
        with explained(*explainers), DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmpretrain')):
            return _decide(cfg, prepare or (lambda: None))
    except UserError as error:
        if cfg.get('launcher', 'none') == 'none':
            raise
        # The others would wait for it for ever.
        return Decision(complaint=str(error))


def complete(cfg: Config, decision: Decision | None, *explainers: Callable) -> list[str]:
    """Put values in the place of what a config leaves open, in each process, and take ``auto_setup`` out of it.

    Args:
        cfg (Config): The config, changed in place. Without ``auto_setup`` it stays as it is, but a complaint of the
            first process is heard.
        decision (Decision | None): What :func:`decide` has returned in this process.
        *explainers (Callable): See :func:`explained`.

    Returns:
        list[str]: Lines for the log.

    Raises:
        UserError: If there is no decision, or the config has a name without a value.
    """
    if cfg.get('launcher', 'none') != 'none' and not is_distributed():
        # The runner would do the same, and finds it done.
        init_dist(cfg.launcher, **cfg.get('env_cfg', {}).get('dist_cfg', {}))
    told: list[Any] = [decision]
    broadcast_object_list(told)
    settled: Decision = told[0]
    if settled.complaint:
        raise UserError(settled.complaint)
    if not cfg.get('auto_setup'):
        return []
    with explained(*explainers):
        fill(cfg, settled.values)
    cfg.merge_from_dict(settled.own)
    kind, cfg.auto_setup = cfg.auto_setup.type, None
    return [f'{kind}: {note}' for note in settled.notes]


def _decide(cfg: Config, prepare: Callable[[], Any]) -> Decision:
    if not cfg.get('auto_setup'):
        prepare()
        return Decision()
    setup = TASK_UTILS.build(cfg.auto_setup)
    chosen = setup.chosen(cfg)
    own = {setup.homes[name]: value for name, value in chosen.items()}
    checkpoint = resumed_checkpoint(cfg)
    if checkpoint is None:
        setup.check(cfg)
        prepare()
        values, notes = setup(cfg)
        # Lists of a person's own are written anew where images in them are gone.
        own |= {setup.homes[name]: values[name] for name in LIST_HOMES if name in chosen and name in values}
        return Decision(values, notes, own)
    prepare()
    before = config_of(read_checkpoint(checkpoint), checkpoint)
    values = remembered(cfg, before, checkpoint)
    own |= {setup.homes[name]: path for name, path in remade_lists(cfg, before).items() if name in chosen}
    _refuse_other_classes(values.get('classes'), chosen.get('classes'), checkpoint)
    return Decision(values | chosen, [f'nothing is chosen anew: data and settings are those of {checkpoint}'], own)


def resumed_checkpoint(cfg: Config) -> str | None:
    """Find the checkpoint that a training goes on from.

    Args:
        cfg (Config): The config.

    Returns:
        str, optional: Its path; None where training begins.
    """
    if not cfg.get('resume'):
        return None
    if cfg.get('load_from'):
        return cfg.load_from
    last = recorded_checkpoint(cfg.work_dir)
    return None if last is None else str(last)


def remembered(cfg: Config, before: Config, checkpoint: str) -> dict[str, Any]:
    """Read the values of an earlier run where the config has their names.

    Args:
        cfg (Config): The config, with open values.
        before (Config): The completed config of that run.
        checkpoint (str): Where it comes from, for messages.

    Returns:
        dict[str, Any]: Values by name.

    Raises:
        ValueError: If there is no value for a name.
    """
    values = {}
    for name, paths in open_values(cfg).items():
        found = [value for value in (look_up(before, path) for path in paths) if value is not None]
        if not found:
            raise ValueError(
                f'checkpoint {checkpoint} was trained by a config without {dotted(paths[0])}: go on with the config '
                'in its work directory, or begin anew in another one'
            )
        values[name] = found_list(found[0], cfg.work_dir) if name in LIST_HOMES else found[0]
    return values


def remade_lists(cfg: Config, before: Config) -> dict[str, str]:
    """Find the lists that an earlier run has written in the place of a person's own, without images that were gone.

    Args:
        cfg (Config): The config, with ``work_dir``.
        before (Config): The completed config of that run.

    Returns:
        dict[str, str]: Their paths by name; none in the place of a list that the config does not name any more, or
        that has been changed.
    """
    found = {}
    for name, key in LIST_HOMES.items():
        path, table = look_up(before, tuple(key.split('.'))), _named_table(cfg, before, key)
        if isinstance(path, str) and table is not None and table.is_file():
            was, of_table = path_from_anywhere(path), remade_name(name.removesuffix('_list'), str(table))
            if was.parent.name == LISTS and was.name.startswith(f'{of_table}_'):
                found[name] = found_list(path, cfg.work_dir)
    return found


def _named_table(cfg: Config, before: Config, key: str) -> Path | None:
    """The list that a config names; the folder that it starts from may be left open, as that of the earlier run."""
    *place, last = key.split('.')
    named, root = look_up(cfg, (*place, last)), look_up(cfg, (*place, 'data_root'))
    if not isinstance(named, str) or is_open(named):
        return None
    root = look_up(before, (*place, 'data_root')) if root is None or is_open(root) else root
    return Path(root or '', named).expanduser()


def _refuse_other_classes(before: Sequence[str] | None, now: Sequence[str] | None, checkpoint: str) -> None:
    """Refuse other names for the labels that lists and weights have by number."""
    if before is not None and now is not None and list(map(str, before)) != list(now):
        raise ValueError(
            f'classes={list(now)}, but checkpoint {checkpoint} was trained with classes={list(before)}: a training '
            'that goes on has the same ones in this order; leave classes out, or begin anew in another work directory'
        )
