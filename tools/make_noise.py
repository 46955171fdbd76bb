# SPDX-License-Identifier: Apache-2.0
"""Write the noisy labels of a config to a file: ``python tools/make_noise.py CONFIG --out labels.npy``."""

import json
import sys
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS

from tcl_plugin import __version__, cli
from tcl_plugin.atomic import array_bytes, replacing
from tcl_plugin.datasets import NoisyLabelDataset
from tcl_plugin.datasets.leaves import leaf_table
from tcl_plugin.datasets.open_set import true_labels
from tcl_plugin.datasets.sidecar import digest, sidecar_path
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.explain import explain_files
from tcl_plugin.transitions import count_transitions


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.

    Raises:
        UserError: If the file is neither .npy nor .json, or is there already.
    """
    parser = cli.Parser(
        prog='make_noise.py',
        description='Write the given labels of a training set to a file, with how they were made beside it.',
    )
    parser.add_argument('config', help='path of the config; its train_dataloader.dataset says the noise')
    parser.add_argument(
        '--out', required=True, metavar='FILE', help='label file to write, .npy or .json; open-set noise needs .json'
    )
    parser.add_argument('--force', action='store_true', help='write over files that are there already')
    cli.add_config_options(parser)
    args = parser.parse_args(argv)
    if Path(args.out).suffix not in ('.npy', '.json'):
        raise UserError(f'--out {args.out}: must be a .npy or .json file')
    for path in (Path(args.out), sidecar_path(args.out)):
        if path.exists() and not args.force:
            raise UserError(f'{path} is there already; --force writes over it')
    return args


def build_dataset(cfg):
    """Build the training set of a config. Images are read only for noise that depends on them.

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
    if not isinstance(dataset, NoisyLabelDataset) or not dataset.source.makes_noise:
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
    (own, given), replaced = dataset.image_labels, dataset.open_noise[:, 0]
    true = true_labels(own, replaced)
    matrix = count_transitions(true, given, dataset.num_classes)
    return dict(
        dataset=', '.join(sorted({type(leaf).__name__ for leaf in leaf_table(dataset.dataset).leaves})),
        config=Path(config).name,
        num_samples=len(own),
        num_classes=dataset.num_classes,
        true_labels_sha256=digest(own),
        given_labels_sha256=digest(given),
        **describe_noise(dataset),
        expected_rate=dataset.source.expected_rate(own, dataset.num_classes, len(replaced)),
        measured_rate=float((true != given).mean()),
        measured_transition_matrix=[[round(share, 6) for share in row] for row in matrix.tolist()],
        made_by=f'tcl_plugin {__version__}',
    )


def describe_noise(dataset):
    """Say which kinds of noise a training set has.

    Args:
        dataset (NoisyLabelDataset): The training set.

    Returns:
        dict: ``noise``, ``kind``, ``nominal_rate`` and ``seed`` of closed-set noise (None where
        there is none), its other ``parameters``, and those of open-set noise where there is some.
    """
    noise, open_set = dataset.source.noise, dataset.source.open_set
    description = dict.fromkeys(('noise', 'kind', 'nominal_rate', 'seed'))
    if noise is not None:
        # A noise of one's own may be any function.
        rate, seed = (getattr(noise, name, None) for name in ('rate', 'seed'))
        description = dict(noise=repr(noise), kind=type(noise).__name__, nominal_rate=rate, seed=seed)
        if callable(getattr(noise, 'matrix', None)):
            description |= dict(nominal_transition_matrix=noise.matrix(dataset.num_classes).tolist())
    description |= dict(parameters=_as_json(dataset.source.parameters))
    if open_set is not None:
        description |= dict(
            open_set=repr(open_set),
            open_set_nominal_rate=open_set.rate,
            open_set_seed=open_set.seed,
            open_set_num_samples=len(open_set),
            open_set_labels_sha256=None if (labels := open_set.labels()) is None else digest(labels),
            num_replaced=len(dataset.open_noise),
            open_noise_sha256=digest(dataset.open_noise),
        )
    return description


def label_saver(path, dataset):
    """Choose how to write the label file.

    A .json file is of SSR's form: ``noise_labels``, the given labels; ``open_noise``, pairs of a
    replaced image and that of the other dataset; ``closed_noise``, other images whose label is wrong.

    Args:
        path (Path): The label file.
        dataset (NoisyLabelDataset): The training set.

    Returns:
        Callable: A function that writes into an open binary file.

    Raises:
        UserError: If the file cannot hold what the noise has done.
    """
    (own, given), pairs = dataset.image_labels, dataset.open_noise
    if path.suffix == '.npy':
        if dataset.source.open_set is not None:
            raise UserError(f'--out {path}: holds labels alone, but open_set replaces images: name a .json file')
        return lambda file: file.write(array_bytes(given))
    closed = np.setdiff1d(np.flatnonzero(own != given), pairs[:, 0])
    content = dict(noise_labels=given.tolist(), open_noise=pairs.tolist(), closed_noise=closed.tolist())
    return lambda file: file.write(json.dumps(content).encode())


def _as_json(parameters):
    """Parameters of a noise; None where one's own has such as JSON does not have."""
    try:
        return json.loads(json.dumps(parameters, allow_nan=False))
    except (TypeError, ValueError):
        return None


def write(path, save_labels, description):
    """Write label file and sidecar; a reader sees the old files or the new ones, never half of one.

    If one of them cannot be written, the other is not, either.

    Args:
        path (Path): The label file.
        save_labels (Callable): Writes the labels into an open binary file.
        description (dict): What the sidecar holds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside, text = sidecar_path(path), json.dumps(description, indent=2) + '\n'
    with replacing(beside) as described, replacing(path, 'wb') as file:
        described.write(text)
        save_labels(file)


def make_noise(argv=None):
    """Make noisy labels as the command line says.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
    """
    args = parse_args(argv)
    dataset = build_dataset(cli.load_config(args, 'train_dataloader'))
    save_labels, description = label_saver(Path(args.out), dataset), describe(dataset, args.config)
    with explained(explain_files):
        write(Path(args.out), save_labels, description)
    kinds = [description[kind] for kind in ('noise', 'open_set') if description.get(kind)]
    print(
        f'{args.out}: {description["num_samples"]} labels, {" and ".join(kinds)}, '
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
