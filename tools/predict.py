# SPDX-License-Identifier: Apache-2.0
"""Classify images: ``python tools/predict.py CHECKPOINT IMAGE_OR_FOLDER``."""

import contextlib
import csv
import os
import sys
from itertools import islice
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cv2
import mmcv
import torch
from mmpretrain import ImageClassificationInferencer
from mmpretrain.registry import TRANSFORMS
from PIL import Image

from tcl_plugin import cli
from tcl_plugin.atomic import replacing
from tcl_plugin.auto_setup.layout import is_stray
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.evaluation import escape_cell
from tcl_plugin.explain import explain_files
from tcl_plugin.progress import track
from tcl_plugin.saved_model import find_pipeline, loads_bgr, open_model, size_of_views

SUFFIXES = {'.jpg', '.jpeg', '.png', '.bmp', '.gif', '.ppm', '.pgm', '.tif', '.tiff', '.webp'}
TOP = 5


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.
    """
    parser = cli.Parser(
        prog='predict.py',
        description='Classify an image, or all images in a folder and its subfolders; write a table. '
        'Broken images are named and left out, and the exit code is then 1.',
    )
    parser.add_argument('checkpoint', help='path of the checkpoint')
    parser.add_argument('images', help='path of an image or a folder')
    parser.add_argument('--config', help='path of the config; default: the one that the checkpoint holds')
    parser.add_argument('--out', default='predictions.csv', metavar='FILE', help='table; default: predictions.csv')
    parser.add_argument('--batch-size', type=int, default=32, help='default: 32')
    parser.add_argument('--device', help='default: the accelerator, if there is one')
    cli.add_config_options(parser)
    args = parser.parse_args(argv)
    if args.batch_size < 1:
        parser.error(f'--batch-size must be 1 or more, got {args.batch_size}')
    return args


def find_images(path):
    """List an image, or the images in a folder and its subfolders.

    Args:
        path (str): The path.

    Returns:
        list[Path]: The images, sorted.

    Raises:
        UserError: If there is none.
    """
    path = Path(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f'{path} does not exist: name an image or a folder')
    images = sorted(file for file in files_below(path) if file.suffix.lower() in SUFFIXES and file.is_file())
    if not images:
        raise UserError(f'no image in {path} or below: looked for {", ".join(sorted(SUFFIXES))}')
    return images


def files_below(folder):
    """List what is in a folder and its subfolders, but for what systems hide or leave there.

    Links to files are followed, and links to folders are not: unlike in training, nobody says where they may lead.

    Args:
        folder (Path): The folder.

    Yields:
        Path: A file.

    Raises:
        UserError: If a folder cannot be read, which ``rglob`` would pass over.
    """

    def refuse(error):
        raise UserError(f'{error.filename}: {error.strerror}; check the permissions')

    for root, below, names in os.walk(folder, onerror=refuse):
        below[:] = [name for name in below if not is_stray(name)]
        yield from (Path(root) / name for name in names if not is_stray(name))


class Reader:
    """Reads images in the order of channels in which the pipeline of tests reads them.

    Without a ``LoadImageFromFile`` in it, the data set brings arrays of red, green and blue, for which
    mmpretrain's inferencer would read blue, green and red.

    Args:
        pipeline (list[dict]): The pipeline.
    """

    def __init__(self, pipeline):
        steps = [step for step in pipeline if loads_bgr([step])]
        self._load = TRANSFORMS.build(steps[0]) if steps else None

    def __call__(self, path):
        """Read an image.

        Args:
            path (Path): Its path.

        Returns:
            np.ndarray: Shape (H, W, 3).

        Raises:
            ValueError: If it cannot be read, or not to its end.
        """
        try:
            refuse_cut_short(path)
            if self._load:
                return self._load(dict(img_path=str(path)))['img']
            return mmcv.imread(str(path), channel_order='rgb')
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f'{path} cannot be read: {error}') from error
        except (AssertionError, cv2.error) as error:
            raise ValueError(f'{path} cannot be read: OpenCV does not know its format') from error


def refuse_cut_short(path):
    """Refuse an image of which OpenCV would fill up what is missing.

    Args:
        path (Path): Its path.

    Raises:
        OSError: If it ends too early, or is no image.
        SyntaxError: Likewise, of some PNG files.
        DecompressionBombError: If it is far too large.
    """
    # Of what else is in a file, such as a text of more than 1 MiB: training does not look at it.
    with contextlib.suppress(ValueError), Image.open(path) as image:
        image.load()


def batches(items, size):
    """Take items a few at a time.

    Args:
        items (Iterable): The items.
        size (int): How many at a time.

    Yields:
        list: So many of them; the last may have less.
    """
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def read_batch(reader, paths):
    """Read some images, and tell on stderr which are left out.

    Args:
        reader (Reader): What reads.
        paths (list[Path]): Their paths.

    Returns:
        dict[Path, np.ndarray]: The images that could be read.
    """
    images = {}
    for path in paths:
        try:
            images[path] = reader(path)
        except ValueError as error:
            print(f'left out: {error}', file=sys.stderr)
    return images


def classify(inferencer, reader, paths, batch_size, size=None):
    """Classify images.

    Args:
        inferencer (ImageClassificationInferencer): The inferencer.
        reader (Reader): What reads images.
        paths (list[Path]): Their paths.
        batch_size (int): Batch size.
        size (tuple[int, int], optional): Height and width of the images that the network was trained on; a line on
            stderr tells of others that the pipeline does not resize. Defaults to None, unknown.

    Yields:
        tuple[Path, Tensor]: Path and probabilities, shape (K,), of each image that could be read.
    """
    todo = list(batches(paths, batch_size))
    # Not the inferencer's own call, which shows a bar in log files too and stops at a broken image.
    for part in track(todo, 'batches of images'):
        images = read_batch(reader, part)
        others = {image.shape[:2] for image in images.values()} - {size}
        for data in inferencer.preprocess(list(images.values()), batch_size):
            shape = tuple(data['inputs'][0].shape[1:])
            if size and shape in others:
                print(told_size(shape, size), file=sys.stderr)
                size = None  # told once
            samples = inferencer.forward(data)
            yield from zip(images, (sample.pred_score.cpu() for sample in samples), strict=True)


def told_size(shape, size):
    """Tell that images of another size go through the network.

    Args:
        shape (tuple[int, int]): Its height and width.
        size (tuple[int, int]): What it was trained on.

    Returns:
        str: The line.
    """
    return (
        f'images of {shape[1]} x {shape[0]} pixels go through as they are, for the pipeline of tests resizes none; '
        f'the network was trained on {size[1]} x {size[0]}: resize them before'
    )


def header(top):
    """Columns of the table.

    Args:
        top (int): Number of classes in a row.

    Returns:
        list[str]: Their names.
    """
    further = [name for rank in range(2, top + 1) for name in (f'class_{rank}', f'probability_{rank}')]
    return ['path', 'class', 'probability', *further]


def to_row(path, probs, classes, top):
    """Make a row of the table.

    Args:
        path (Path): Path of the image.
        probs (Tensor): Probabilities, shape (K,).
        classes (Sequence[str] | None): Names of the classes.
        top (int): Number of classes in a row.

    Returns:
        list[str]: The row. Texts that a spreadsheet would take for a formula have an apostrophe before them.
    """
    values, labels = torch.topk(probs, top)
    cells = [escape_cell(str(path))]
    for value, label in zip(values.tolist(), labels.tolist(), strict=True):
        cells += [escape_cell(str(classes[label] if classes else label)), f'{value:.6g}']
    return cells


def explain_sizes(error):
    """Explain images that are no batch.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    if isinstance(error, RuntimeError) and 'stack expects each tensor to be equal size' in str(error):
        return (
            'images of different sizes are no batch, and the pipeline of tests resizes none: --batch-size 1 takes one '
            'at a time'
        )
    return None


def predict(argv=None):
    """Classify as the command line says.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: Number of broken images.
    """
    args = parse_args(argv)
    paths = find_images(args.images)
    cfg, model = open_model(args)
    with explained(*cli.BUILDING):
        pipeline = find_pipeline(cfg)
        # The inferencer looks for the pipeline nowhere else.
        model._config.test_dataloader = dict(dataset=dict(pipeline=pipeline))
        inferencer = ImageClassificationInferencer(model)
        reader = Reader(pipeline)
    top, count = min(TOP, model.head.num_classes), 0
    with explained(explain_files, explain_sizes):
        Path(args.out).parent.mkdir(parents=True, exist_ok=True)
        # Names of files need not be UTF-8: what is not is written as it is on disk.
        with replacing(args.out, newline='', errors='surrogateescape') as file:
            writer = csv.writer(file, lineterminator='\n')
            writer.writerow(header(top))
            for path, probs in classify(inferencer, reader, paths, args.batch_size, size_of_views(model)):
                writer.writerow(to_row(path, probs, inferencer.classes, top))
                count += 1
    print(f'{args.out}: {count} images' + (f', {len(paths) - count} left out' if count < len(paths) else ''))
    return len(paths) - count


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code: 0, 1 where images were left out, or 2.
    """
    broken = []
    code = run_tool(lambda argv: broken.append(predict(argv)), argv)
    return code or int(any(broken))


if __name__ == '__main__':
    sys.exit(main())
