# SPDX-License-Identifier: Apache-2.0
"""What the tools share: arguments, config, device and processes, and the building of the runner."""

from .arguments import SEED, OptionsAction, Parser, add_common_arguments, add_config_options, number
from .config import (
    check_checkpoint,
    doubt_learning_rate,
    load_config,
    merge_options,
    resume_from_work_dir,
    set_dataloaders,
    set_work_dir,
)
from .environment import check_environment, fit_loaders, fit_to_device, on_cpu, process_group
from .former_table import table_set_aside
from .runner import BUILDING, RUNNING, build_parts, build_runner, running
from .weights import Shapes, fetch_weights, misfits

__all__ = [
    'BUILDING',
    'RUNNING',
    'SEED',
    'OptionsAction',
    'Parser',
    'Shapes',
    'add_common_arguments',
    'add_config_options',
    'build_parts',
    'build_runner',
    'check_checkpoint',
    'check_environment',
    'doubt_learning_rate',
    'fetch_weights',
    'fit_loaders',
    'fit_to_device',
    'load_config',
    'merge_options',
    'misfits',
    'number',
    'on_cpu',
    'process_group',
    'resume_from_work_dir',
    'running',
    'set_dataloaders',
    'set_work_dir',
    'table_set_aside',
]
