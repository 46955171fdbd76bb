# SPDX-License-Identifier: Apache-2.0
"""Images of all kinds. What is accepted has the right pixels."""

from collections.abc import Sequence

import cv2
import numpy as np
from mmpretrain.registry import DATASETS
from PIL import Image

from .desk import Desk, case, tool

RNG = np.random.RandomState(0)
RGB = RNG.randint(0, 256, (6, 5, 3)).astype(np.uint8)
GREY = RGB[..., 0]
ALPHA = RNG.randint(0, 256, (6, 5)).astype(np.uint8)
GREY16 = RNG.randint(0, 2**16, (6, 5)).astype(np.uint16)
LOAD = [dict(type='LoadImageFromFile')]


def dataset(name: str):
    """A training set of one image file."""
    inner = dict(type='BaseDataset', ann_file='', data_root='', pipeline=LOAD, lazy_init=True)
    built = DATASETS.build(dict(type='NoisyLabelDataset', dataset=inner, num_classes=2, lazy_init=True))
    built.dataset.load_data_list = lambda: [dict(img_path=name, gt_label=0)]
    built.full_init()
    return built


def in_training(desk: Desk, name: str) -> str:
    """Read an image that cannot be read as training does."""
    return desk.running(lambda: dataset(name)[0])


def in_predict(name: str) -> str:
    """Read an image that cannot be read as tools/predict.py does, which leaves it out."""
    try:
        tool('predict').Reader(LOAD)(name)
    except ValueError as error:
        return f'left out: {error}'
    raise AssertionError(f'{name} was read')


def accepted(name: str, expected: np.ndarray, tolerance: int = 0) -> str:
    """Compare pixels in training and in tools/predict.py, red, green and blue."""
    assert expected.shape[2] == 3
    found = dataset(name)[0]['img'][..., ::-1]
    predicted = tool('predict').Reader([])(name)
    for pixels in (found, predicted):
        assert pixels.dtype == np.uint8 and pixels.shape == expected.shape
        assert np.abs(pixels.astype(int) - expected).max() <= tolerance
    return f'accepted: {" x ".join(map(str, found.shape))}'


def as_rgb(grey: np.ndarray) -> np.ndarray:
    return np.repeat(grey[..., None], 3, axis=2)


def frames() -> Sequence[Image.Image]:
    return [Image.fromarray(np.full((6, 5, 3), value, np.uint8)) for value in (10, 200)]


@case('image-missing')
def missing(desk: Desk) -> str:
    return in_training(desk, 'gone.png')


@case('image-is-text')
def is_text(desk: Desk) -> str:
    return in_training(desk, desk.write('notes.jpg', 'no image').name)


@case('image-without-bytes')
def without_bytes(desk: Desk) -> str:
    return in_training(desk, desk.write('empty.png', '').name)


@case('image-without-bytes-in-a-worker')
def without_bytes_in_a_worker(desk: Desk) -> str:
    """What a worker has met comes as one text."""
    line = in_training(desk, desk.write('empty.png', '').name)

    def fetch() -> None:
        raise ValueError(
            f'Caught ValueError in DataLoader worker process 0.\nOriginal Traceback ...\nValueError: {line}'
        )

    return desk.running(fetch)


@case('image-is-text-in-predict')
def is_text_in_predict(desk: Desk) -> str:
    return in_predict(desk.write('notes.jpg', 'no image').name)


@case('image-cut-short-in-predict')
def cut_short_in_predict(desk: Desk) -> str:
    Image.fromarray(np.kron(RGB, np.ones((20, 20, 1), np.uint8))).save('whole.jpg')
    whole = (desk.folder / 'whole.jpg').read_bytes()
    return in_predict(desk.write('cut.jpg', whole[: 2 * len(whole) // 3]).name)


@case('image-of-fractions-in-predict')
def of_fractions_in_predict(desk: Desk) -> str:
    Image.fromarray(RNG.rand(6, 5).astype(np.float32)).save('float.tif')
    return in_predict('float.tif')


@case('image-of-fractions-in-predict-rgb')
def of_fractions_in_predict_rgb(desk: Desk) -> str:
    """The other way of reading, of data sets without image files."""
    Image.fromarray(RNG.rand(6, 5).astype(np.float32)).save('float.tif')
    try:
        tool('predict').Reader([])('float.tif')
    except ValueError as error:
        return f'left out: {error}'
    raise AssertionError


@case('image-grey')
def grey(desk: Desk) -> str:
    Image.fromarray(GREY).save('grey.png')
    return accepted('grey.png', as_rgb(GREY))


@case('image-black-and-white')
def black_and_white(desk: Desk) -> str:
    Image.fromarray(GREY > 128).save('bits.png')
    return accepted('bits.png', as_rgb(255 * (GREY > 128)))


@case('image-with-alpha')
def with_alpha(desk: Desk) -> str:
    Image.fromarray(np.dstack([RGB, ALPHA])).save('alpha.png')
    return accepted('alpha.png', RGB)


@case('image-grey-with-alpha')
def grey_with_alpha(desk: Desk) -> str:
    Image.fromarray(np.dstack([GREY, ALPHA])).save('alpha.png')
    return accepted('alpha.png', as_rgb(GREY))


@case('image-of-a-palette')
def of_a_palette(desk: Desk) -> str:
    palette = Image.fromarray(RGB).quantize(8)
    palette.save('palette.png')
    return accepted('palette.png', np.asarray(palette.convert('RGB')))


@case('image-grey-of-16-bits')
def grey_of_16_bits(desk: Desk) -> str:
    Image.fromarray(GREY16).save('deep.png')
    return accepted('deep.png', as_rgb(GREY16 >> 8))


@case('image-in-colour-of-16-bits')
def in_colour_of_16_bits(desk: Desk) -> str:
    deep = RNG.randint(0, 2**16, (6, 5, 3)).astype(np.uint16)
    cv2.imwrite('deep.png', deep[..., ::-1])
    return accepted('deep.png', deep >> 8)


@case('image-of-one-pixel')
def of_one_pixel(desk: Desk) -> str:
    Image.fromarray(RGB[:1, :1]).save('one.png')
    return accepted('one.png', RGB[:1, :1])


@case('image-cmyk')
def cmyk(desk: Desk) -> str:
    large = Image.fromarray(np.kron(RGB, np.ones((16, 16, 1), np.uint8))).convert('CMYK')
    large.save('cmyk.jpg', quality=100, subsampling=0)
    with Image.open('cmyk.jpg') as image:
        return accepted('cmyk.jpg', np.asarray(image.convert('RGB')), tolerance=2)


@case('image-animated')
def animated(desk: Desk) -> str:
    first, second = frames()
    first.save('moving.webp', save_all=True, append_images=[second], lossless=True)
    return accepted('moving.webp', np.asarray(first))


@case('image-turned-by-exif')
def turned_by_exif(desk: Desk) -> str:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned to the right
    Image.fromarray(np.full((16, 32, 3), RGB[0, 0], np.uint8)).save('turned.jpg', exif=exif)
    return accepted('turned.jpg', np.full((32, 16, 3), RGB[0, 0]), tolerance=4)
