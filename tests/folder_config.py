# SPDX-License-Identifier: Apache-2.0
"""The configs for folders and tables, read as ``tools/train.py`` reads it, with a network of no size."""

from pathlib import Path

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpretrain.registry import TASK_UTILS
from test_tools.toolbox import NARROW

from tcl_plugin.auto_setup import complete, decide
from tcl_plugin.cli import BUILDING

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'

TINY = {
    'model.backbone.depth': 18,
    'model.backbone.base_channels': NARROW,
    'model.backbone.stem_channels': NARROW,
    'model.backbone.init_cfg': None,
    'model.head.in_channels': 8 * NARROW,
    'image_size': 32,
}
#: Everything but the step on a few images, and the network as it is.
QUICK = {'auto_setup.trial': False}


def read_folder_config(root: str | Path, work_dir: str | Path, kind: str = 'folder', **options) -> Config:
    """Read the config.

    Args:
        root (str | Path): The folder of images.
        work_dir (str | Path): The work directory.
        kind (str): ``'folder'`` or ``'csv'``, for tables in the folder.
        **options: As of ``--cfg-options``.

    Returns:
        Config: The config, with open values.
    """
    cfg = Config.fromfile(CONFIGS / f'tcl_r50_{kind}.py')
    cfg.merge_from_dict({'data_root': str(root), **options})
    cfg.work_dir, cfg.launcher = str(work_dir), 'none'
    return cfg


def completed_folder_config(root: str | Path, work_dir: str | Path, kind: str = 'folder', **options) -> Config:
    """Read the config and complete it; see :func:`read_folder_config`."""
    cfg = read_folder_config(root, work_dir, kind, **options)
    complete(cfg, decide(cfg, *BUILDING), *BUILDING)
    return cfg


def run_setup(cfg: Config) -> tuple[dict, list[str]]:
    """Values that the setup of a config finds, and lines for the log."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return TASK_UTILS.build(cfg.auto_setup)(cfg)
