# SPDX-License-Identifier: Apache-2.0
"""Transforms of a batch do to each image what torchvision does to it, with parameters that are distributed alike."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms as T
import torchvision.transforms.functional as TF
from mmpretrain.registry import BATCH_AUGMENTS

MANY = 20_000


@pytest.fixture(scope='module')
def images():
    """Smooth in some places, noisy in others; some grey and some with pixels that are."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(24, 3, 5, 6, generator=generator)
    images = (255 * F.interpolate(coarse, size=(20, 24), mode='bilinear')).round()
    images[::3, :, 5:10] = torch.randint(256, images[::3, :, 5:10].shape, generator=generator).float()
    images[::4, :, :3] = images[::4, :1, :3]
    images[7] = images[7, :1]
    return images.byte()


def build(kind, **kwargs):
    return BATCH_AUGMENTS.build(dict(type=kind, **kwargs))


def draw(transform, number=MANY, size=(20, 24), seed=0):
    return transform.draw(number, size, torch.Generator().manual_seed(seed))


def resized_crop(size):
    def apply(image, params):
        box = [int(params[name]) for name in ('top', 'left', 'height', 'width')]
        return TF.resized_crop(image, *box, [size, size], antialias=True)

    return apply


def crop(image, params):
    return TF.crop(TF.pad(image, 3), int(params['top']), int(params['left']), 20, 20)


def jitter(image, params):
    operations = (TF.adjust_brightness, TF.adjust_contrast, TF.adjust_saturation, TF.adjust_hue)
    for op in params['order'] if params['jitter'] else []:
        image = operations[op](image, float(params['factor'][op]))
    return image


CASES = {
    'flip': ('BatchRandomFlip', {}, lambda image, params: TF.hflip(image) if params['flip'] else image),
    'crop': ('BatchRandomCrop', dict(size=20, padding=3), crop),
    'shrunk': ('BatchRandomResizedCrop', dict(size=9), resized_crop(9)),
    'enlarged': ('BatchRandomResizedCrop', dict(size=40, scale=(0.2, 1.0)), resized_crop(40)),
    'brightness': ('BatchColorJitter', dict(brightness=0.8, prob=0.7), jitter),
    'contrast': ('BatchColorJitter', dict(contrast=0.8), jitter),
    # From 0.5 on, torchvision's own results for uint8 and float images differ by more than one.
    'saturation': ('BatchColorJitter', dict(saturation=0.4), jitter),
    'hue': ('BatchColorJitter', dict(hue=0.5), jitter),
    'gray': (
        'BatchRandomGrayscale',
        dict(prob=0.5),
        lambda image, params: TF.rgb_to_grayscale(image, 3) if params['gray'] else image,
    ),
    'solarize': (
        'BatchRandomSolarize',
        dict(threshold=128),
        lambda image, params: TF.solarize(image, 128) if params['solarize'] else image,
    ),
}


@pytest.mark.parametrize('case', CASES)
def test_agrees_with_torchvision(images, case):
    kind, kwargs, one_by_one = CASES[case]
    transform = build(kind, **kwargs)
    params = draw(transform, len(images))
    found = transform.apply(images.float(), params)
    rows = [{k: v[i] for k, v in params.items()} for i in range(len(images))]
    whole = torch.stack([one_by_one(image, row) for image, row in zip(images, rows, strict=True)]).float()
    assert found.shape == whole.shape
    assert tuple(found.shape[2:]) == transform.output_size(tuple(images.shape[2:]))
    # torchvision cuts off fractions of grey values in uint8.
    assert (found.round() - whole).abs().max() <= 1
    if case != 'solarize':  # whose threshold is on another scale there
        exact = torch.stack([one_by_one(image.double() / 255, row) for image, row in zip(images, rows, strict=True)])
        torch.testing.assert_close(found, 255 * exact.float(), rtol=0, atol=0.02)
    if found.shape == images.shape:
        assert (found - images).abs().max() > 50


def test_jitter_in_any_order_agrees_with_torchvision(images):
    """torchvision rounds after each operation, and this one at the end."""
    transform = build('BatchColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, prob=0.8)
    params = draw(transform, len(images))
    found = transform.apply(images.float(), params)
    rows = [{k: v[i] for k, v in params.items()} for i in range(len(images))]
    exact = torch.stack([jitter(image.double() / 255, row) for image, row in zip(images, rows, strict=True)]) * 255
    assert len({tuple(order.tolist()) for order in params['order']}) > 10
    torch.testing.assert_close(found, exact.float(), rtol=0, atol=0.02)


def test_jitter_of_one_channel_leaves_out_colour(images):
    gray = images[:, :1].float()
    transform = build('BatchColorJitter', saturation=1.0, hue=0.5)
    torch.testing.assert_close(transform.apply(gray.clone(), draw(transform, len(gray))), gray)


def test_empty_rows_and_chosen_rows(images):
    """The parameters of some rows treat those rows alone."""
    transform = build('BatchColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1)
    params = draw(transform, len(images))
    whole = transform.apply(images.float(), params)
    some = transform.apply(images[5:9].float(), {k: v[5:9] for k, v in params.items()})
    torch.testing.assert_close(some, whole[5:9])
    assert len(transform.apply(images[:0].float(), {k: v[:0] for k, v in params.items()})) == 0


def assert_same_distribution(found, expected):
    """The largest gap between two empirical distributions is what chance explains (at 1 in 10,000)."""
    found, expected = np.sort(np.asarray(found, float)), np.sort(np.asarray(expected, float))
    values = np.union1d(found, expected)
    gap = np.searchsorted(found, values, 'right') / len(found) - np.searchsorted(expected, values, 'right') / len(
        expected
    )
    assert np.abs(gap).max() < 2.2 * np.sqrt(1 / len(found) + 1 / len(expected))


@pytest.mark.parametrize(
    ('size', 'scale', 'ratio'),
    [((20, 24), (0.2, 1.0), (3 / 4, 4 / 3)), ((12, 40), (0.9, 1.0), (1.0, 1.0)), ((40, 12), (0.3, 0.9), (0.5, 2.0))],
    ids=['usual', 'never fits', 'seldom fits'],
)
def test_crops_are_distributed_as_torchvisions(size, scale, ratio):
    params = draw(build('BatchRandomResizedCrop', size=8, scale=scale, ratio=ratio), size=size)
    torch.manual_seed(0)
    image = torch.empty(1, *size)
    expected = np.array([T.RandomResizedCrop.get_params(image, scale, ratio) for _ in range(5_000)])
    for column, name in enumerate(('top', 'left', 'height', 'width')):
        assert_same_distribution(params[name], expected[:, column])
    assert_same_distribution(params['height'] * params['width'], expected[:, 2] * expected[:, 3])
    assert (params['top'] + params['height'] <= size[0]).all() and (params['left'] + params['width'] <= size[1]).all()


def test_jitter_is_distributed_as_torchvisions():
    strength = (0.4, 1.6, 0.2, 0.1)
    names = ('brightness', 'contrast', 'saturation', 'hue')
    params = draw(build('BatchColorJitter', **dict(zip(names, strength, strict=True)), prob=0.8))
    plain = T.ColorJitter(*strength)
    torch.manual_seed(0)
    expected = [plain.get_params(plain.brightness, plain.contrast, plain.saturation, plain.hue) for _ in range(5_000)]
    for op in range(4):
        assert_same_distribution(params['factor'][:, op], [row[1 + op] for row in expected])
        # Where in the order the operation comes.
        assert_same_distribution(
            (params['order'] == op).int().argmax(1), [int((r[0] == op).nonzero()) for r in expected]
        )
    assert params['jitter'].float().mean() == pytest.approx(0.8, abs=0.02)


def test_places_and_coins_are_fair():
    params = draw(build('BatchRandomCrop', size=20, padding=3))
    for name, places in (('top', 7), ('left', 11)):
        share = torch.bincount(params[name], minlength=places) / MANY
        assert len(share) == places
        assert (share - 1 / places).abs().max() < 0.012
    for kind, name in (('Flip', 'flip'), ('Grayscale', 'gray'), ('Solarize', 'solarize')):
        extra = dict(threshold=128) if kind == 'Solarize' else {}
        coins = draw(build(f'BatchRandom{kind}', prob=0.3, **extra))[name]
        assert coins.float().mean() == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize(
    ('kind', 'kwargs', 'reason'),
    [
        ('BatchRandomFlip', dict(prob=1.5), r'prob must lie in \[0, 1\], got 1.5'),
        ('BatchRandomCrop', dict(size=0), 'size must be positive'),
        ('BatchRandomResizedCrop', dict(size=8, scale=(0.0, 1.0)), r'no crop can be drawn with size 8, scale \(0.0'),
        ('BatchColorJitter', dict(hue=0.6), 'got 0.0, 0.0, 0.0 and 0.6'),
    ],
)
def test_impossible_arguments(kind, kwargs, reason):
    with pytest.raises(ValueError, match=reason):
        build(kind, **kwargs)


def test_crop_larger_than_the_image():
    with pytest.raises(ValueError, match='images of 20 x 24 pixels, padded by 1, are smaller than 25'):
        draw(build('BatchRandomCrop', size=25, padding=1), 2)
