# SPDX-License-Identifier: Apache-2.0
"""Measure how fast a config trains: ``python tools/benchmark.py CONFIG``. No data set is needed. Linux only."""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from mmengine.config import Config

from tcl_plugin import cli
from tcl_plugin.atomic import write_text
from tcl_plugin.benchmark import as_text, build_timed, measure_ceiling, plain_config, use_generated_data
from tcl_plugin.benchmark.generated import Shape, shape_of
from tcl_plugin.benchmark.memory import require_linux
from tcl_plugin.benchmark.report import figures
from tcl_plugin.compat import has_bfloat16
from tcl_plugin.errors import explained, run_tool
from tcl_plugin.explain import explain_files
from tcl_plugin.provenance import device_name


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.
    """
    parser = cli.Parser(prog='benchmark.py', description='Measure how fast a config trains, on generated images.')
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--compare', action='store_true', help='measure the plain way, too, alternating')
    parser.add_argument(
        '--versus',
        nargs='+',
        action=cli.OptionsAction,
        default={},
        metavar='KEY=VALUE',
        help='measure the config with these changes, too, alternating',
    )
    parser.add_argument('--batch-size', type=cli.number(1), help='samples of a step; default: those of the config')
    parser.add_argument('--steps', type=cli.number(1), default=10, help='steps in each of the rounds; default: 10')
    parser.add_argument(
        '--rounds', type=cli.number(1), default=3, help='rounds, of which medians are taken; default: 3'
    )
    parser.add_argument('--samples', type=cli.number(1), help='samples of a detection pass; default: the training set')
    parser.add_argument(
        '--image-size', type=cli.number(1), help="side of the images; default: the data set's, where it is known"
    )
    parser.add_argument('--num-train', type=cli.number(1), help='training images, likewise')
    parser.add_argument('--num-test', type=cli.number(1), help='test images, likewise')
    parser.add_argument('--json', metavar='FILE', help='write the figures to this file')
    parser.add_argument('--write-plain', metavar='FILE', help='write the plain config to this file, and stop')
    cli.add_config_options(parser)
    args = parser.parse_args(argv)
    if args.write_plain and not args.write_plain.endswith('.py'):
        parser.error(f'--write-plain {args.write_plain}: the name of a config ends in .py')
    return args


def prepare(cfg, args, shape, work_dir):
    """Make a config runnable without its data.

    Args:
        cfg (Config): The config, changed in place.
        args (argparse.Namespace): The parsed arguments.
        shape (Shape): Shape of its data set.
        work_dir (Path): Where it may write.

    Returns:
        Timed: The config, ready.
    """
    cfg.work_dir, cfg.experiment_name = str(work_dir), work_dir.name
    cfg.launcher, cfg.log_level = 'none', 'WARNING'
    cfg.train_dataloader.batch_size = args.batch_size or cfg.train_dataloader.batch_size
    num_train = max(args.samples or shape.train, cfg.train_dataloader.batch_size)
    num_test = min(shape.test, num_train)
    use_generated_data(cfg, shape.size, num_train, num_test)
    cli.set_dataloaders(cfg, 'train_dataloader', 'val_dataloader')
    cli.fit_to_device(cfg)
    return build_timed(cfg, num_test)


def measure(timed, args):
    """Take all times, the configs taking turns.

    Args:
        timed (dict[str, Timed]): The configs.
        args (argparse.Namespace): The parsed arguments.
    """
    for one in timed.values():
        one.run_steps(2)
        one.found.steps.clear()
    for _ in range(args.rounds):
        for one in timed.values():
            one.run_steps(args.steps)
            one.run_stages()
            one.run_views()
    for one in timed.values():
        one.run_passes()
        one.count()


def benchmark(argv=None):
    """Measure, and print.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Raises:
        UserError: If the config does not fit, or this is no Linux.
    """
    args = parse_args(argv)
    cfg = cli.load_config(args, 'model', 'train_dataloader', 'train_cfg', 'optim_wrapper')
    for path in filter(None, (args.write_plain, args.json)):
        with explained(explain_files):  # not after all has been measured
            Path(path).parent.mkdir(parents=True, exist_ok=True)
    if args.write_plain:
        with explained(explain_files):
            plain_config(cfg).dump(args.write_plain)
        return
    require_linux()
    given = dict(size=args.image_size, train=args.num_train, test=args.num_test)
    given = {name: value for name, value in given.items() if value}
    shape = Shape(**given) if len(given) == 3 else replace(shape_of(cfg), **given)
    configs = {'fast': cfg} | ({'plain': plain_config(cfg)} if args.compare else {})
    if args.versus:
        configs['changed'] = Config(cfg.to_dict())
        configs['changed'].merge_from_dict(args.versus)
    with tempfile.TemporaryDirectory() as folder:
        with explained(*cli.BUILDING):
            timed = {
                name: prepare(Config(one.to_dict()), args, shape, Path(folder) / name) for name, one in configs.items()
            }
        measure(timed, args)
    device = next(iter(timed.values())).device
    result = dict(
        config=args.config,
        device=device_name(device),
        torch=torch.__version__,
        max_epochs=cfg.train_cfg.max_epochs,
    )
    ceilings = {}
    for name, one in timed.items():
        in_half = configs[name].model.get('bfloat16') and has_bfloat16(device)
        dtype = torch.bfloat16 if in_half else torch.float32
        if dtype not in ceilings:
            ceilings[dtype] = measure_ceiling(device, dtype)
        result[name] = figures(one.found, configs[name], shape, ceilings[dtype])
    show(result)
    if args.json:
        write_text(args.json, json.dumps(result, indent=2) + '\n')


def show(result):
    """Print the figures.

    Args:
        result (dict): The figures, by config.
    """
    print(f'{result["config"]} on {result["device"]}, torch {result["torch"]}')
    for name in ('plain', 'changed', 'fast'):
        if name in result:
            print(f'\n{name}\n\n{as_text(result[name])}')
    for name in ('plain', 'changed'):
        if name in result:
            ratio = result['fast']['samples_per_second'] / result[name]['samples_per_second']
            seconds = {key: result[key]['view_seconds'] / result[key]['batch_size'] for key in (name, 'fast')}
            views = seconds[name] / seconds['fast']
            print(f'\nfast trains {ratio:.2f} times as many samples a second as {name}')
            print(f'fast cuts the views of {views:.2f} times as many samples a second as {name}')


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(benchmark, argv)


if __name__ == '__main__':
    sys.exit(main())
