# SPDX-License-Identifier: Apache-2.0
"""Test a model: ``python tools/test.py CONFIG CHECKPOINT``. ``--help`` lists the flags, which are mmpretrain's."""

import os
import sys
from functools import partial
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import matplotlib.pyplot as plt
import mmengine
import numpy as np
import torch
from mmengine.config import ConfigDict
from mmengine.dist import is_main_process
from mmengine.evaluator import DumpResults

from tcl_plugin import cli
from tcl_plugin.atomic import beside
from tcl_plugin.datasets.leaves import leaf_configs
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.explain import explain_files
from tcl_plugin.foreign_config import name_parts

# Backends of matplotlib that open no window: what it falls back to where there is no display.
WINDOWLESS = {'agg', 'cairo', 'pdf', 'pgf', 'ps', 'svg', 'template'}

SUFFIXES = {'pred': ('.pkl', '.pickle'), 'metrics': ('.json', '.yaml', '.yml', '.pkl', '.pickle')}


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.

    Raises:
        UserError: If they contradict one another.
    """
    parser = cli.Parser(prog='test.py', description='Test a model and report its metrics.')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('checkpoint', help='path or address of the checkpoint')
    parser.add_argument('--out', metavar='FILE', help='file for the results')
    parser.add_argument('--out-item', choices=['metrics', 'pred'], help='what to write there; default: pred')
    parser.add_argument('--amp', action='store_true', help='test with automatic mixed precision')
    parser.add_argument('--show-dir', metavar='DIR', help='folder for pictures of the predictions')
    parser.add_argument('--show', action='store_true', help='show the predictions in a window')
    parser.add_argument('--interval', type=cli.number(1), default=1, help='draw every n-th sample; default: 1')
    parser.add_argument(
        '--wait-time', type=cli.number(0, kind=float), default=2, help='seconds that a window stays; default: 2'
    )
    parser.add_argument(
        '--tta',
        action='store_true',
        help="augment at test time, by the config's tta_model and tta_pipeline or else by the flipped image",
    )
    cli.add_common_arguments(parser)
    args = parser.parse_args(argv)
    check_out(args)
    return args


def check_out(args):
    """Refuse an output that could not be written after the whole test.

    Args:
        args (argparse.Namespace): The parsed arguments.

    Raises:
        UserError: If ``--out`` is missing or its suffix does not suit.
    """
    if args.out is None:
        if args.out_item is not None:
            raise UserError('--out-item needs --out FILE')
        return
    item = args.out_item or 'pred'
    if not args.out.endswith(SUFFIXES[item]):
        raise UserError(f'--out {args.out}: {item} can be written to {", ".join(SUFFIXES[item])} files')
    if os.path.isdir(args.out):
        raise UserError(f'--out {args.out} is a folder: name a file')


def make_room(args):
    """Make the folder of an output, which must not be found out to be impossible after the whole test.

    Args:
        args (argparse.Namespace): The parsed arguments.

    Raises:
        UserError: If there is no such folder and none can be made, or nothing can be written there.
    """
    if args.out is None:
        return
    out = Path(args.out)
    with explained(explain_files):
        out.parent.mkdir(parents=True, exist_ok=True)
    if not all(os.access(place, os.W_OK) for place in (out.parent, out) if place.exists()):
        raise UserError(f'--out {args.out} cannot be written: there is no permission to')


def set_visualization(cfg, args):
    """Apply ``--show``, ``--show-dir`` and what belongs to them.

    Args:
        cfg (Config): The config, changed in place.
        args (argparse.Namespace): The parsed arguments.

    Raises:
        UserError: If there is no display, or the config has no visualisation hook.
    """
    if not args.show and args.show_dir is None:
        return
    if args.tta:
        raise UserError('--show and --show-dir draw one image per sample: leave out --tta')
    if args.show and plt.get_backend().lower() in WINDOWLESS:
        raise UserError('--show needs a display for its windows, and there is none: use --show-dir DIR')
    if 'visualization' not in cfg.get('default_hooks', {}):
        raise UserError(
            f"config {args.config} has no default_hooks.visualization=dict(type='VisualizationHook'), "
            'which --show and --show-dir need'
        )
    name_parts({'hook': cfg.default_hooks.visualization})  # a pure Python config has the class
    hook = cfg.default_hooks.visualization
    if hook.type == 'VisualizationHook':
        hook.type = 'DistinctPicturesHook'
    hook.update(enable=True, show=args.show, wait_time=args.wait_time, out_dir=args.show_dir, interval=args.interval)


def set_tta(cfg, args):
    """Apply ``--tta``: wrap the model, and let the pipeline bring several versions of each image.

    Args:
        cfg (Config): The config, changed in place.
        args (argparse.Namespace): The parsed arguments.

    Raises:
        UserError: If there is no pipeline to change.
    """
    if not args.tta:
        return
    flips = [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)]
    for leaf in leaf_configs(cfg.test_dataloader.dataset):
        if not leaf.get('pipeline'):
            raise UserError(f'--tta: test_dataloader.dataset in config {args.config} has no pipeline')
        *steps, pack = leaf.pipeline
        flipped = [*steps, dict(type='TestTimeAug', transforms=[flips, [pack]])]
        leaf.pipeline = cfg.get('tta_pipeline') or flipped
    tta_model = cfg.get('tta_model') or dict(type='mmpretrain.AverageClsScoreTTA')
    cfg.model = ConfigDict(**tta_model, module=cfg.model)


def merge_args(cfg, args):
    """Apply the command line to the config.

    Args:
        cfg (Config): The config, with ``--cfg-options`` already in it; changed in place.
        args (argparse.Namespace): The parsed arguments.

    Returns:
        list[str]: Lines for the log.
    """
    cfg.launcher = args.launcher
    cfg.load_from = args.checkpoint
    cfg.resume = False
    cli.set_work_dir(cfg, args)
    if args.amp:
        cfg.test_cfg.fp16 = True
    set_visualization(cfg, args)
    cli.set_dataloaders(cfg, 'test_dataloader', pin_memory=not args.no_pin_memory, persistent_workers=False)
    cli.merge_options(cfg, args)
    set_tta(cfg, args)
    return cli.fit_to_device(cfg)


def run(cfg, args, notes):
    """Build everything, test, and write the results that were asked for.

    Args:
        cfg (Config): The finished config.
        args (argparse.Namespace): The parsed arguments.
        notes (list[str]): Lines for the log.
    """
    runner = cli.build_runner(cfg, notes)
    # Where names or shapes differ, random numbers would be tested.
    runner.load_checkpoint = partial(runner.load_checkpoint, strict=True)
    cli.build_parts(runner, 'test_loop')
    if args.out and args.out_item != 'metrics':
        runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
    with cli.running():
        metrics = runner.test()
    if args.out and args.out_item == 'metrics' and is_main_process():
        with beside(args.out) as temporary:
            mmengine.dump(plain(metrics), temporary, file_format=Path(args.out).suffix[1:])


def plain(value):
    """Put numbers and lists in the place of tensors and arrays, which JSON and YAML do not have.

    Args:
        value (Any): Metrics, such as the matrix of ``ConfusionMatrix``.

    Returns:
        Any: The same.
    """
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(plain, value))
    return value.tolist() if isinstance(value, (torch.Tensor, np.ndarray, np.generic)) else value


def test(argv=None):
    """Test as the command line says.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
    """
    args = parse_args(argv)
    cfg = cli.load_config(args, 'model', 'test_dataloader', 'test_cfg', 'test_evaluator')
    notes = merge_args(cfg, args)
    cli.check_checkpoint(cfg.load_from)
    make_room(args)
    with cli.process_group(cfg):
        run(cfg, args, notes)


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(test, argv)


if __name__ == '__main__':
    sys.exit(main())
