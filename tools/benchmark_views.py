# SPDX-License-Identifier: Apache-2.0
"""Compare ways of cutting strong views: ``python tools/benchmark_views.py``. kornia too, where installed."""

import importlib.util
import statistics
import sys
import time
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
import torchvision
import torchvision.transforms as T
from PIL import Image
from torchvision.transforms import v2

from tcl_plugin import cli
from tcl_plugin.errors import run_tool
from tcl_plugin.models import BatchViewDataPreprocessor
from tcl_plugin.provenance import device_name

MEAN, STD = [125.307, 122.961, 113.8575], [51.5865, 50.847, 51.255]
SCALE, JITTER = (0.2, 1.0), (0.4, 0.4, 0.4, 0.1)
STRONG = [
    dict(type='BatchRandomResizedCrop', size=32, scale=SCALE),
    dict(type='BatchRandomFlip', prob=0.5),
    dict(type='BatchColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, prob=0.8),
    dict(type='BatchRandomGrayscale', prob=0.2),
    dict(type='BatchRandomSolarize', threshold=128, prob=0.5),
]


def own_way(device):
    """This package's batch transforms.

    Args:
        device (torch.device): The device.

    Returns:
        Callable: From uint8 images, (B, 3, 32, 32), to normalised views.
    """
    preprocessor = BatchViewDataPreprocessor(views=[dict(transforms=STRONG)], mean=MEAN, std=STD, seed=0).to(device)
    return lambda images: preprocessor(dict(inputs=images), training=True)['inputs']


def kornia_way(device):
    """kornia's augmentations of a batch, each image with its own parameters; see :func:`own_way`."""
    import kornia.augmentation as K

    views = torch.nn.Sequential(
        K.RandomResizedCrop((32, 32), scale=SCALE),
        K.RandomHorizontalFlip(),
        K.ColorJitter(*JITTER, p=0.8),
        K.RandomGrayscale(p=0.2),
        K.RandomSolarize(thresholds=0.0, additions=0.0, p=0.5),
        K.Normalize(torch.tensor(MEAN) / 255, torch.tensor(STD) / 255),
    ).to(device)
    return lambda images: views(images.to(device).float() / 255)


def v2_way(device):
    """torchvision's v2 transforms, which draw once for a batch, on one image after the other; see :func:`own_way`."""
    view = v2.Compose(
        [
            v2.RandomResizedCrop(32, scale=SCALE, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.RandomApply([v2.ColorJitter(*JITTER)], 0.8),
            v2.RandomGrayscale(0.2),
            v2.RandomSolarize(128, 0.5),
        ]
    )
    return lambda images: v2.functional.normalize(
        torch.stack([view(image) for image in images.to(device)]).float(), MEAN, STD
    )


def pil_way(device):
    """torchvision's transforms of PIL images, one after the other, as the published code has them."""
    view = T.Compose(
        [
            T.RandomResizedCrop(32, scale=SCALE),
            T.RandomHorizontalFlip(),
            T.RandomApply([T.ColorJitter(*JITTER)], 0.8),
            T.RandomGrayscale(0.2),
            T.RandomSolarize(128, 0.5),
        ]
    )

    def cut(images):
        pictures = [Image.fromarray(image) for image in images.permute(0, 2, 3, 1).numpy()]
        views = np.stack([np.asarray(view(picture)) for picture in pictures])
        return v2.functional.normalize(torch.from_numpy(views).permute(0, 3, 1, 2).to(device).float(), MEAN, STD)

    return cut


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.
    """
    parser = cli.Parser(prog='benchmark_views.py', description='Compare ways of cutting strong views of 32 px.')
    parser.add_argument('--batch-size', type=cli.number(1), default=256, help='images of a batch; default: 256')
    parser.add_argument(
        '--rounds', type=cli.number(1), default=7, help='rounds, of which medians are taken; default: 7'
    )
    return parser.parse_args(argv)


def benchmark(argv=None):
    """Measure, the ways taking turns, and print.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
    """
    args = parse_args(argv)
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    torch.set_num_threads(1)  # as a worker has
    ways = {'own': own_way, 'torchvision v2': v2_way, 'torchvision PIL': pil_way}
    if importlib.util.find_spec('kornia'):
        ways['kornia'] = kornia_way
    ways = {name: way(device) for name, way in ways.items()}
    images = torch.randint(256, (args.batch_size, 3, 32, 32), dtype=torch.uint8)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(args.rounds + 1):
        for name, way in ways.items():
            start = time.perf_counter()
            way(images)
            if device.type == 'cuda':
                torch.cuda.synchronize()
            if round_:  # the first one warms up
                times[name].append(time.perf_counter() - start)
    print(f'{device_name(device)}, torch {torch.__version__}, torchvision {torchvision.__version__}')
    for name, seconds in times.items():
        print(f'{name:16} {1e6 * statistics.median(seconds) / args.batch_size:8.1f} us/view')


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
