# SPDX-License-Identifier: Apache-2.0
"""Small pictures of samples that fit into a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from mmengine.fileio import get
from PIL import ExifTags, Image, UnidentifiedImageError

from ...progress import track

# Images up to this size are kept pixel by pixel; the page scales them up without blurring them.
SMALL = 96
# Longest side of a thumbnail of a larger image; twice the size on screen, as for fine displays.
LARGE = 224
# How to turn an image upright, by the tag of its camera (Exif, orientation).
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What a missing, damaged or monstrous file raises; PIL says SyntaxError of some damaged PNGs.
UNREADABLE = (OSError, SyntaxError, Image.DecompressionBombError)


@dataclass
class Thumbnail:
    """A picture for the page.

    Attributes:
        uri (str, optional): The picture as a ``data:`` URI; None where the image cannot be read.
        error (str, optional): Why it cannot.
    """

    uri: str | None = None
    error: str | None = None


def make_thumbnails(dataset: Any, indices: Sequence[int]) -> list[Thumbnail]:
    """Make thumbnails of samples, from the images as they are before any pipeline.

    On a terminal, a line on stderr shows progress.

    Args:
        dataset (Dataset): A data set whose data infos have ``img`` (uint8, shape (H, W, 3) in RGB, as
            mmpretrain's CIFAR has, (H, W, 1), or (H, W)) or ``img_path``.
        indices (Sequence[int]): Samples.

    Returns:
        list[Thumbnail]: One for each sample. An image file that is missing or damaged is told in its
        place, so that one bad file does not cost the others.
    """
    return [_thumbnail(dataset.get_data_info(int(index))) for index in track(indices, 'thumbnails')]


def _thumbnail(info: dict) -> Thumbnail:
    try:
        return Thumbnail(encode(read_image(info)))
    except UNREADABLE as error:
        return Thumbnail(error=str(error) or type(error).__name__)


def read_image(info: dict) -> Image.Image:
    """Read the image of a sample as it is before any pipeline.

    Args:
        info (dict): Its data info; see :func:`make_thumbnails`.

    Returns:
        PIL.Image.Image: The image, of eight bits a channel; one from a large JPEG file may be smaller than that.

    Raises:
        Exception: One of ``UNREADABLE``, if there is no image or it cannot be read.
    """
    if info.get('img') is not None:
        return _from_array(info['img'])
    if not info.get('img_path'):
        raise FileNotFoundError('the data set has no image')
    return _to_eight_bits(_from_file(info['img_path']))


def _from_array(image: np.ndarray) -> Image.Image:
    image = np.asarray(image)
    return Image.fromarray(np.ascontiguousarray(image[..., 0] if image.shape[2:] == (1,) else image))


def _from_file(path: str) -> Image.Image:
    content = get(path)
    try:
        return _by_pillow(content)
    except ValueError:
        # Of what training does not look at, such as a text of more than 1 MiB beside the image.
        image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise UnidentifiedImageError(f'cannot read {path}') from None
        return Image.fromarray(np.ascontiguousarray(image[..., ::-1]))


def _by_pillow(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.draft('RGB', (2 * LARGE, 2 * LARGE))  # lets a JPEG be decoded at a fraction of its size
    image.load()  # which turns a TIFF upright, and takes its tag away
    # By the tag alone: ImageOps.exif_transpose writes all tags anew, and fails where a camera has written an odd one.
    turn = UPRIGHT.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def encode(image: Image.Image) -> str:
    """Make a ``data:`` URI: PNG at full size of a small image, JPEG of a larger one made smaller.

    Args:
        image (PIL.Image.Image): The image.

    Returns:
        str: The URI.
    """
    image, content = image.convert('RGB'), io.BytesIO()
    if max(image.size) <= SMALL:
        image.save(content, 'PNG', optimize=True)
        kind = 'png'
    else:
        image.thumbnail((LARGE, LARGE))
        image.save(content, 'JPEG', quality=82)
        kind = 'jpeg'
    return f'data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}'


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Bring grey values of 16 bits to 8 as training does (OpenCV); Pillow would make nearly all of them white."""
    # Of some formats Pillow has no mode for 16 bits, and reads them into 32.
    if not image.mode.startswith('I'):
        return image
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
