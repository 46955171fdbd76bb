# SPDX-License-Identifier: Apache-2.0
"""Train a model: ``python tools/train.py CONFIG``. ``--help`` lists the flags, which are mmpretrain's."""

import sys
from contextlib import nullcontext
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tcl_plugin import cli
from tcl_plugin.auto_setup import complete, decide, is_first_process
from tcl_plugin.compat import unwrap_model
from tcl_plugin.errors import UserError, run_tool
from tcl_plugin.folder_lock import alone_in


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.
    """
    parser = cli.Parser(prog='train.py', description='Train a model.')
    parser.add_argument('config', help='path of the config')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from this checkpoint, or, without a path, from the last whole one in the work directory',
    )
    parser.add_argument('--amp', action='store_true', help='train with automatic mixed precision (needs a GPU)')
    parser.add_argument(
        '--no-validate',
        action='store_true',
        help='do not evaluate during training, and keep back no images of a folder or table of your own',
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate by the actual batch size over auto_scale_lr.base_batch_size',
    )
    parser.add_argument(
        '--no-persistent-workers', action='store_true', help='start dataloader workers anew each epoch'
    )
    cli.add_common_arguments(parser)
    return parser.parse_args(argv)


def choose_checkpoint(cfg, args):
    """Say where training starts from, and check that it can.

    Args:
        cfg (Config): The config, with everything else from the command line in it; changed in place.
        args (argparse.Namespace): The parsed arguments.

    Returns:
        list[str]: Warnings for the log.

    Raises:
        UserError: If the checkpoint is missing or not whole.
    """
    if args.resume not in (None, 'auto'):
        cfg.resume, cfg.load_from = True, args.resume
    warnings = []
    if args.resume == 'auto' or (cfg.get('resume') and cfg.get('load_from') is None):
        warnings = cli.resume_from_work_dir(cfg)
    cli.check_checkpoint(cfg.get('load_from'))
    return warnings


def set_optimizer(cfg, args):
    """Apply ``--amp`` and ``--auto-scale-lr``.

    Args:
        cfg (Config): The config, changed in place.
        args (argparse.Namespace): The parsed arguments.

    Raises:
        UserError: If the config does not say which batch size its learning rate is for.
    """
    if args.amp:
        cfg.optim_wrapper.type = 'AmpOptimWrapper'
        cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')
    if args.auto_scale_lr:
        if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
            raise UserError(f'--auto-scale-lr: config {args.config} has no auto_scale_lr=dict(base_batch_size=...)')
        cfg.auto_scale_lr.enable = True


def merge_args(cfg, args):
    """Apply the command line to the config.

    Args:
        cfg (Config): The config, with ``--cfg-options`` already in it; changed in place.
        args (argparse.Namespace): The parsed arguments.

    Returns:
        list[str]: Lines for the log.
    """
    cfg.launcher = args.launcher
    cli.set_work_dir(cfg, args)
    set_optimizer(cfg, args)
    cli.set_dataloaders(
        cfg,
        'train_dataloader',
        'val_dataloader',
        'test_dataloader',
        pin_memory=not args.no_pin_memory,
        persistent_workers=not args.no_persistent_workers,
    )
    cli.merge_options(cfg, args)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    return cli.fit_to_device(cfg)


def run(cfg, notes, warnings, weights):
    """Build everything and train.

    Args:
        cfg (Config): The finished config.
        notes (list[str]): Lines for the log.
        warnings (list[str]): Lines for the log that nobody should miss.
        weights (Shapes): Weights that the network starts from.
    """
    runner = cli.build_runner(cfg, notes)
    if not cfg.get('resume') and not cfg.get('load_from'):  # other weights take their place
        warnings = [*warnings, *cli.misfits(unwrap_model(runner.model), weights)]
    for warning in warnings:
        runner.logger.warning(warning)
    cli.build_parts(runner, 'train_loop', 'val_loop')
    anew = nullcontext() if cfg.get('resume') else cli.table_set_aside(runner)
    with cli.running(), anew:
        runner.train()


def train(argv=None):
    """Train as the command line says.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Raises:
        UserError: If something that the caller can put right is in the way.
    """
    args = parse_args(argv)
    cfg = cli.load_config(args, 'model', 'train_dataloader', 'train_cfg', 'optim_wrapper', completes=True)
    notes = merge_args(cfg, args)
    warnings = choose_checkpoint(cfg, args)
    # Before anything asks which process this is.
    cli.check_environment(cfg.launcher)
    weights = {}
    decision = decide(cfg, *cli.BUILDING, *cli.RUNNING, prepare=lambda: weights.update(cli.fetch_weights(cfg)))
    with cli.process_group(cfg):
        notes += complete(cfg, decision, *cli.BUILDING)
        cli.fit_loaders(cfg)
        warnings += cli.doubt_learning_rate(cfg)
        with alone_in(cfg.work_dir) if is_first_process(cfg.launcher) else nullcontext():
            run(cfg, notes, warnings, weights)


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(train, argv, stopped='go on with --resume')


if __name__ == '__main__':
    sys.exit(main())
