# SPDX-License-Identifier: Apache-2.0
"""What a config says of the optimizer and its schedules, and a checkpoint overrules when a run is resumed."""

import inspect
from collections.abc import Iterator
from typing import Any

from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner

# Arguments of a schedule that say where it stands, or what it prints.
NOT_SETTINGS = {'last_step', 'verbose'}

# How far a schedule goes.
REACH = ('end', 'T_max', 'total_steps')

# Values of settings, by name: that in the config, and that in the checkpoint.
Differing = dict[str, tuple[Any, Any]]


def what_is_left_aside(runner: Runner, checkpoint: dict) -> list[str]:
    """Compare the optimizer and the schedules, as the config makes them, with those that a checkpoint brings.

    mmengine builds both by the config, with the learning rate scaled to the batch size, and then overwrites them with
    the state in the checkpoint, in which all settings are. To be called in between.

    Args:
        runner (Runner): The runner, which is about to resume.
        checkpoint (dict): The checkpoint.

    Returns:
        list[str]: A line about settings, and one about schedules that do not match. Empty if all is the same.
    """
    wrapper, saved = runner.optim_wrapper, checkpoint.get('optimizer')
    if saved is None or not isinstance(wrapper, OptimWrapper):
        return []
    differing = _optimizer_settings(wrapper, saved)
    mine, theirs = _schedules(runner.param_schedulers), _schedules(checkpoint.get('param_schedulers'))
    fit = len(mine) == len(theirs) and all(map(_of_one_kind, mine, theirs))
    if fit:
        for schedule, state in zip(mine, theirs, strict=True):
            differing |= _schedule_settings(schedule, state)
    lines = [_told(differing, runner)] if differing else []
    if not fit:
        lines.append(
            'param_scheduler asks for schedules of another number or kind than those in the checkpoint, and both mix: '
            'for new schedules, start a run of its own from the weights, by load_from without --resume'
        )
    return lines


def _optimizer_settings(wrapper: OptimWrapper, saved: dict) -> Differing:
    parts = list(wrapper.items()) if isinstance(wrapper, OptimWrapperDict) else [(None, wrapper)]
    found: Differing = {}
    for name, part in parts:
        groups = (saved[name] if name else saved)['param_groups']
        for key, *values in _differing_groups(part.optimizer.param_groups, groups):
            # Of many groups, the first speaks for all.
            found.setdefault(f'{name}.{key}' if name else key, (values[0], values[1]))
    return found


def _of_one_kind(schedule: Any, state: dict) -> bool:
    """Whether a schedule is of the kind whose state this is, which does not say so by itself."""
    return vars(schedule).keys() - {'optimizer'} == state.keys()


def _schedule_settings(schedule: Any, state: dict) -> Differing:
    names = sorted(_arguments(type(schedule)) & state.keys())
    pairs = {f'{type(schedule).__name__}.{name}': (getattr(schedule, name), state[name]) for name in names}
    return {name: (now, before) for name, (now, before) in pairs.items() if now != before}


def _told(differing: Differing, runner: Runner) -> str:
    settings = ', '.join(f'{name}={_text(now)} ({_text(saved)} there)' for name, (now, saved) in differing.items())
    line = f'a resumed run keeps the optimizer settings and schedules of its checkpoint, and leaves aside {settings}'
    if (runner.auto_scale_lr or {}).get('enable') and any(name.endswith('lr') for name in differing):
        line += '; auto_scale_lr does not scale the rate anew'
    if any(name.endswith(f'.{reach}') for name in differing for reach in REACH):
        line += '; epochs after the end of a schedule are trained at its last rate'
    return line


def _differing_groups(mine: list[dict], theirs: list[dict]) -> Iterator[tuple[str, Any, Any]]:
    """Settings of groups of parameters, with their values in the config and in the checkpoint."""
    for group, saved in zip(mine, theirs, strict=False):  # torch refuses another number
        for key in group.keys() & saved.keys() - {'params', 'param_names'}:
            now, before = _initial(group, key), _initial(saved, key)
            if not key.startswith('initial_') and _plain(now) != _plain(before):
                yield key, now, before


def _initial(group: dict, key: str) -> Any:
    """Value of a setting before any schedule has changed it."""
    if key == 'betas' and 'initial_momentum' in group:  # Adam's momentum, which schedules change
        return (group['initial_momentum'], *group[key][1:])
    return group.get(f'initial_{key}', group[key])


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _text(value: Any) -> str:
    if isinstance(value, dict):  # milestones, each with how often it is named
        value = sorted(value)
    return f'{value:g}' if isinstance(value, float) else str(value)


def _schedules(told: Any) -> list:
    """Schedules of all optimizers, built or saved."""
    return [one for part in told.values() for one in part] if isinstance(told, dict) else list(told or [])


def _arguments(kind: type) -> set[str]:
    """Names of the settings of a kind of schedules."""
    names = {name for base in kind.__mro__ for name in inspect.signature(base.__init__).parameters}  # type: ignore[misc]
    return names - NOT_SETTINGS
