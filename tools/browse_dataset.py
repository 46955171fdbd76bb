# SPDX-License-Identifier: Apache-2.0
"""See training images as the network gets them: ``python tools/browse_dataset.py CONFIG --out FOLDER``."""

import random
import sys
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from mmengine.dataset import default_collate
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS

from tcl_plugin import cli
from tcl_plugin.errors import explained, run_tool
from tcl_plugin.models.utils import draw_mixing
from tcl_plugin.reports import save
from tcl_plugin.reports.runs import name_noise
from tcl_plugin.reports.views import Row, draw_views
from tcl_plugin.saved_model import new_model, sees_bgr
from tcl_plugin.structures import labels_of

PAGE = 16
NO_CLASS = -1
THREE_VIEWS = ('weak', 'strong 1', 'strong 2')


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.
    """
    parser = cli.Parser(
        prog='browse_dataset.py',
        description='Draw the views of training images after the data preprocessor, with given and true labels.',
    )
    parser.add_argument('config', help='path of the config')
    parser.add_argument('--out', required=True, metavar='FOLDER', help='folder for the pictures')
    parser.add_argument('--number', type=int, default=16, help='number of images, chosen at random; default: 16')
    parser.add_argument('--seed', type=cli.SEED, default=0, help='seed of the choice and of the views; default: 0')
    cli.add_config_options(parser)
    args = parser.parse_args(argv)
    if args.number < 1:
        parser.error(f'--number must be 1 or more, got {args.number}')
    return args


def build(cfg):
    """Build training set and model.

    Args:
        cfg (Config): The config.

    Returns:
        tuple: The training set, and the model with its data preprocessor.
    """
    init_default_scope(cfg.get('default_scope', 'mmpretrain'))
    return DATASETS.build(cfg.train_dataloader.dataset), new_model(cfg)


def cut_views(model, items):
    """Do to some samples what training does to a batch.

    Args:
        model (BaseModel): The model.
        items (list[dict]): Samples, as the data set gives them.

    Returns:
        tuple: Names of the views, the views (each float32, shape (B, C, H, W)), and given labels, shape (B,).
    """
    data = model.data_preprocessor(default_collate(items), True)
    views = data['inputs'] if isinstance(data['inputs'], (list, tuple)) else [data['inputs']]
    labels = labels_of(data['data_samples'], torch.device('cpu'))
    names = [[_name_view(i, len(views))] * len(items) for i in range(len(views))]
    alpha = getattr(model, 'mixup_alpha', 0)
    if alpha:
        mixing = draw_mixing(len(views) * len(items), alpha)
        # All views are mixed among themselves: image and partner may be in different ones.
        share = 100 * (1 - mixing.lam)
        partners = [f'mixed: {share:.0f} % of no. {int(i) % len(items) + 1}' for i in mixing.partner]
        mixed = mixing(torch.cat(list(views))).chunk(len(views))
        names += [partners[i * len(items) : (i + 1) * len(items)] for i in range(len(views))]
        views = [*views, *mixed]
    return names, views, labels


def _name_view(index, count):
    if count == len(THREE_VIEWS):
        return THREE_VIEWS[index]
    return '' if count == 1 else f'view {index + 1}'


def to_pixels(images, preprocessor, is_bgr):
    """Turn what the network gets back into pixels.

    Args:
        images (Tensor): Normalised, float32, shape (B, C, H, W).
        preprocessor (ClsDataPreprocessor): What has normalised them.
        is_bgr (bool): Whether channels are blue, green, red.

    Returns:
        np.ndarray: Red, green, blue, uint8, shape (B, H, W, 3).
    """
    if preprocessor._enable_normalize:
        images = images * preprocessor.std + preprocessor.mean
    images = images.round().clamp(0, 255).byte()
    images = images.expand(-1, 3, -1, -1) if images.size(1) == 1 else images
    return (images.flip(1) if is_bgr else images).permute(0, 2, 3, 1).numpy()


def describe_label(dataset, sample, given):
    """Say what is known of a label.

    Args:
        dataset (Dataset): The training set.
        sample (int): Index of the sample.
        given (int): Its given label.

    Returns:
        tuple[str, bool]: The text, and whether the label is known to be wrong.
    """
    classes = dataset.metainfo.get('classes')

    def name(label):
        if label == NO_CLASS:
            return 'no class'
        return str(classes[label] if classes else label)

    true = getattr(dataset, 'true_labels', None)
    if true is None:
        return f'given {name(given)}', False
    return f'given {name(given)}, true {name(int(true[sample]))}', bool(given != true[sample])


def make_rows(dataset, model, samples, is_bgr):
    """Put together what one picture shows.

    Args:
        dataset (Dataset): The training set.
        model (BaseModel): The model.
        samples (Sequence[int]): Indices of the samples.
        is_bgr (bool): Whether the network gets blue, green, red.

    Returns:
        list[Row]: One row for each sample.
    """
    names, views, given = cut_views(model, [dataset[int(i)] for i in samples])
    pixels = [to_pixels(view, model.data_preprocessor, is_bgr) for view in views]
    rows = []
    for row, sample in enumerate(samples):
        label, is_wrong = describe_label(dataset, sample, int(given[row]))
        rows.append(
            Row(f'{row + 1}: {label}', is_wrong, [name[row] for name in names], [view[row] for view in pixels])
        )
    return rows


def browse(argv=None):
    """Draw as the command line says.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
    """
    args = parse_args(argv)
    cfg = cli.load_config(args, 'model', 'train_dataloader')
    for set_seed in (random.seed, np.random.seed, torch.manual_seed):
        set_seed(args.seed)
    with explained(*cli.BUILDING):
        dataset, model = build(cfg)
        count = min(args.number, len(dataset))
        samples = np.random.default_rng(args.seed).choice(len(dataset), count, replace=False)
        is_bgr = sees_bgr(model, cfg.train_dataloader.dataset)
        title = f'{Path(args.config).stem}: {name_noise(cfg)}'
        for page, start in enumerate(range(0, count, PAGE), start=1):
            rows = make_rows(dataset, model, samples[start : start + PAGE], is_bgr)
            path = Path(args.out) / f'views_{page}.png'
            save(draw_views(rows, title), path)
            print(path)


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(browse, argv)


if __name__ == '__main__':
    sys.exit(main())
