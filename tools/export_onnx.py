# SPDX-License-Identifier: Apache-2.0
"""Write a model as ONNX: ``python tools/export_onnx.py CHECKPOINT --out model.onnx``."""

import importlib.metadata
import importlib.util
import logging
import sys
import warnings
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from mmengine.dataset import Compose
from mmengine.utils import digit_version
from mmpretrain.datasets import remove_transform
from mmpretrain.registry import TRANSFORMS

from tcl_plugin import cli
from tcl_plugin.atomic import beside
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.saved_model import find_pipeline, loads_bgr, open_model, sees_bgr, size_of_views

# torch.onnx.export writes by onnxscript, which needs onnx.
PACKAGES = ('onnx', 'onnxruntime', 'onnxscript')
# Earlier ones fail on these networks: torch 2.6 (tried with onnxscript 0.2 to 0.7.2), and onnxscript up to 0.6.0
# (tried with torch 2.7).
LOWEST = dict(torch='2.7.0', onnxscript='0.6.2')
BATCHES = (1, 5)
TOLERANCE = 1e-4


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.

    Raises:
        UserError: If a package is missing, or too old.
    """
    parser = cli.Parser(
        prog='export_onnx.py',
        description='Write backbone, neck, head and softmax as ONNX, with the normalisation in it. Input "images": '
        'uint8 in RGB, shape (batch, channels, height, width), resized as the pipeline of tests does; output '
        '"probabilities": float32, shape (batch, classes). The file is compared with PyTorch.',
    )
    parser.add_argument('checkpoint', help='path of the checkpoint')
    parser.add_argument('--out', required=True, metavar='FILE', help='file to write, such as model.onnx')
    parser.add_argument('--config', help='path of the config; default: the one that the checkpoint holds')
    parser.add_argument(
        '--size',
        nargs=2,
        type=cli.number(1),
        metavar=('HEIGHT', 'WIDTH'),
        help='size of the images; default: that which the pipeline of tests, or the views, have',
    )
    cli.add_config_options(parser)
    args = parser.parse_args(argv)
    args.device = 'cpu'
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f'the export needs {", ".join(missing)}: pip install {" ".join(missing)}')
    for name, least in LOWEST.items():
        found = importlib.metadata.version(name)
        if digit_version(found) < digit_version(least):
            raise UserError(f'the export needs {name} {least} or later, this is {found}')
    return args


class Predictor(torch.nn.Module):
    """From pixels to probabilities.

    Args:
        model (ImageClassifier): The model.
        flip (bool): Whether the network was trained on blue, green, red.
    """

    def __init__(self, model, flip):
        super().__init__()
        self.model, self.flip = model, flip
        preprocessor = model.data_preprocessor
        self.normalize = preprocessor._enable_normalize
        if self.normalize:
            self.register_buffer('mean', preprocessor.mean.clone())
            self.register_buffer('std', preprocessor.std.clone())

    def forward(self, images):
        """Classify images.

        Args:
            images (Tensor): RGB, uint8, shape (B, C, H, W).

        Returns:
            Tensor: Probabilities, float32, shape (B, K).
        """
        images = images.float()
        images = images.flip(1) if self.flip else images
        images = (images - self.mean) / self.std if self.normalize else images
        return self.model.head(self.model.extract_feat(images)).softmax(dim=1)


def find_shape(cfg, model, size=None):
    """Find the shape of the images that the network gets in tests.

    Args:
        cfg (Config): The config.
        model (ImageClassifier): The model.
        size (Sequence[int], optional): Height and width, where they were named. Defaults to None.

    Returns:
        tuple[int, int, int]: Channels, height and width.

    Raises:
        UserError: If the config says no size.
    """
    steps = remove_transform(find_pipeline(cfg), 'LoadImageFromFile')
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    # What comes out alike of images of different sizes is the pipeline's own.
    shapes = {tuple(_run(pipeline, *side)['inputs'].shape) for side in ((300, 400), (350, 310))}
    channels = min(shapes)[0]
    if size:
        return channels, *size
    if len(shapes) == 1:
        return shapes.pop()
    side = size_of_views(model)
    if side is None:
        raise UserError('neither the pipeline of tests nor the views have a size: name one by --size HEIGHT WIDTH')
    return channels, *side


def _run(pipeline, height, width):
    """Put a grey image through a pipeline."""
    image = np.full((height, width, 3), 127, dtype=np.uint8)
    return pipeline(dict(img=image, img_shape=image.shape[:2], ori_shape=image.shape[:2]))


def export(predictor, shape, path):
    """Write the file, for batches of any size.

    Args:
        predictor (Predictor): What to write.
        shape (tuple[int, int, int]): Channels, height and width.
        path (Path): The file.
    """
    images = torch.zeros(2, *shape, dtype=torch.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The exporter reports its own deprecations and steps, none of which is for a person to act on.
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        torch.onnx.export(
            predictor,
            (images,),
            str(path),
            dynamo=True,
            input_names=['images'],
            output_names=['probabilities'],
            dynamic_shapes=dict(images={0: torch.export.Dim('batch')}),
            external_data=False,
            verbose=False,
        )


def explain_export(error):
    """Explain an operation that torch cannot write.

    Args:
        error (Exception): The exception.

    Returns:
        str | None: The line, or None.
    """
    return f'torch cannot write this network: {error}' if isinstance(error, torch.onnx.OnnxExporterError) else None


@torch.no_grad()
def compare(path, model, shape, from_bgr):
    """Compare the file with the model, which normalises by its own data preprocessor.

    Args:
        path (Path): The file.
        model (ImageClassifier): The model.
        shape (tuple[int, int, int]): Channels, height and width.
        from_bgr (bool): Whether the model takes images in blue, green, red.

    Returns:
        float: Largest difference of a probability, over batches of several sizes of random pixels.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    generator, largest = torch.Generator().manual_seed(0), 0.0
    for size in BATCHES:
        images = torch.randint(256, (size, *shape), dtype=torch.uint8, generator=generator)
        (found,) = session.run(None, {'images': images.numpy()})
        data = model.data_preprocessor(dict(inputs=images.flip(1) if from_bgr else images))
        expected = torch.stack([sample.pred_score for sample in model.predict(data['inputs'])])
        largest = max(largest, float(np.abs(found - expected.numpy()).max()))
    return largest


def export_onnx(argv=None):
    """Export as the command line says.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Raises:
        UserError: If the file does not predict as the model does.
    """
    args = parse_args(argv)
    cfg, model = open_model(args, plain=True)
    with explained(*cli.BUILDING):
        pipeline, shape = find_pipeline(cfg), find_shape(cfg, model, args.size)
    # A file of before stays where the new one is not right.
    with beside(args.out) as path:
        with explained(explain_export, *cli.BUILDING):
            export(Predictor(model, sees_bgr(model, pipeline)).eval(), shape, path)
        difference = compare(path, model, shape, loads_bgr(pipeline))
        if difference > TOLERANCE:
            raise UserError(
                f'what would be {args.out} differs from PyTorch by {difference:.2e}, more than {TOLERANCE}: '
                'it is not written'
            )
    print(f'{args.out}: images uint8 RGB (batch, {", ".join(map(str, shape))}) -> probabilities float32')
    print(f'largest difference to PyTorch: {difference:.2e}')


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(export_onnx, argv)


if __name__ == '__main__':
    sys.exit(main())
