# SPDX-License-Identifier: Apache-2.0
"""Write the noisy labels of a config to a file: ``python tools/make_noise.py CONFIG --out labels.npy``."""

import json
import os
import sys
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS

from tcl_plugin import __version__, cli
from tcl_plugin.datasets import NoisyLabelDataset
from tcl_plugin.datasets.sidecar import digest, sidecar_path, transition_matrix
from tcl_plugin.errors import UserError, explained, run_tool


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.

    Raises:
        UserError: If the file is no .npy, or is there already.
    """
    parser = cli.Parser(
        prog='make_noise.py',
        description='Write the given labels of a training set to a file, with how they were made beside it.',
    )
    parser.add_argument('config', help='path of the config; its train_dataloader.dataset.noise is the noise')
    parser.add_argument('--out', required=True, metavar='FILE', help='label file to write, such as labels.npy')
    parser.add_argument('--force', action='store_true', help='write over files that are there already')
    cli.add_config_options(parser)
    args = parser.parse_args(argv)
    if Path(args.out).suffix != '.npy':
        raise UserError(f'--out {args.out}: must be a .npy file')
    for path in (Path(args.out), sidecar_path(args.out)):
        if path.exists() and not args.force:
            raise UserError(f'{path} is there already; --force writes over it')
    return args


def build_dataset(cfg):
    """Build the training set of a config, whose images are not read.

    Args:
        cfg (Config): The config.

    Returns:
        NoisyLabelDataset: The training set.

    Raises:
        UserError: If it has no noise of its own.
    """
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    with explained(*cli.BUILDING):
        dataset = DATASETS.build(cfg.train_dataloader.dataset)
    if not isinstance(dataset, NoisyLabelDataset) or dataset.noise is None:
        raise UserError(
            "train_dataloader.dataset makes no noise: it must be dict(type='NoisyLabelDataset', noise=dict(...), ...)"
        )
    return dataset


def describe(dataset, config):
    """Say how labels were made.

    Args:
        dataset (NoisyLabelDataset): The training set.
        config (str): Path of the config.

    Returns:
        dict: What the sidecar holds.
    """
    true, given = dataset.image_labels
    matrix = transition_matrix(true, given, dataset.num_classes)
    return dict(
        dataset=type(dataset.dataset).__name__,
        config=Path(config).name,
        num_samples=len(true),
        num_classes=dataset.num_classes,
        true_labels_sha256=digest(true),
        given_labels_sha256=digest(given),
        noise=repr(dataset.noise),
        kind=type(dataset.noise).__name__,
        nominal_rate=dataset.noise.rate,
        seed=dataset.noise.seed,
        expected_rate=dataset.noise.expected_rate(true, dataset.num_classes),
        measured_rate=float((true != given).mean()),
        measured_transition_matrix=[[round(share, 6) for share in row] for row in matrix.tolist()],
        made_by=f'tcl_plugin {__version__}',
    )


def write(path, labels, description):
    """Write label file and sidecar; a reader sees the old files or the new ones, never half of one.

    Args:
        path (Path): The label file.
        labels (np.ndarray): Given labels, shape (N,).
        description (dict): What the sidecar holds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside, text = sidecar_path(path), json.dumps(description, indent=2) + '\n'
    for target, save in ((path, lambda f: np.save(f, labels)), (beside, lambda f: f.write(text.encode()))):
        temporary = Path(f'{target}.tmp')
        with temporary.open('wb') as file:
            save(file)
        os.replace(temporary, target)


def make_noise(argv=None):
    """Make noisy labels as the command line says.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
    """
    args = parse_args(argv)
    dataset = build_dataset(cli.load_config(args, 'train_dataloader'))
    description = describe(dataset, args.config)
    with explained(cli.explain_files):
        write(Path(args.out), dataset.image_labels[1], description)
    print(
        f'{args.out}: {description["num_samples"]} labels, {description["noise"]}, '
        f'{100 * description["measured_rate"]:.2f} % of them wrong; how they were made: {sidecar_path(args.out)}'
    )


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(make_noise, argv)


if __name__ == '__main__':
    sys.exit(main())
