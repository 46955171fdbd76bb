# SPDX-License-Identifier: Apache-2.0
"""Instance-dependent noise is that of its formula, from fixed pixels, and the same on every machine."""

import math

import numpy as np
import pytest
from data_builders import build_cifar10, build_image_folder, cifar_without_md5
from mmengine.dataset import RepeatDataset
from mmpretrain.registry import DATASETS, TASK_UTILS
from PIL import Image
from toy import ToyDataset

from tcl_plugin.datasets import InstanceDependentNoise, NoisyLabelDataset, noise_instance
from tcl_plugin.datasets.images import images_of, resize_area
from tcl_plugin.datasets.sidecar import digest

IDN = dict(type='InstanceDependentNoise', rate=0.4, seed=0)
DIGITS = dict(type='SklearnDigits', split='train', pipeline=[], serialize_data=False)
# Of the given labels that rate 0.4 and seed 0 make of the digits, on every machine and for good.
FROZEN = 'c5a2471af92ff918041d2666c80a2905de93776b3c1ff17b1c5651530895998d'


def make(count, num_classes, shape=(3, 2, 3), seed=1):
    """Random labels and images."""
    rng = np.random.RandomState(seed)
    return rng.randint(num_classes, size=count), rng.randint(256, size=(count, *shape)).astype(np.uint8)


def plain(labels, images, num_classes, rate, std, seed):
    """The formula, one sample and one class at a time; q by bisection of the distribution function."""
    rng = np.random.RandomState(seed)
    uniform, draws = rng.random_sample(len(labels)), rng.random_sample(len(labels))
    size = images[0].size
    weights = [[rng.standard_normal(num_classes) for _ in range(size)] for _ in range(num_classes)]

    def below(x):
        return 0.5 * math.erfc(-(x - rate) / std / math.sqrt(2))

    given = []
    for label, image, u, draw in zip(labels, images, uniform, draws, strict=True):
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            if (below(middle) - below(0)) / (below(1) - below(0)) < u:
                low = middle
            else:
                high = middle
        pixels = [value / 255 for row in image for point in row for value in point]
        scores = [sum(p * weights[label][i][j] for i, p in enumerate(pixels)) for j in range(num_classes)]
        total = sum(math.exp(scores[j]) for j in range(num_classes) if j != label)
        probs = [1 - low if j == label else low * math.exp(scores[j]) / total for j in range(num_classes)]
        given.append(next(j for j in range(num_classes) if draw < sum(probs[: j + 1])))
    return given


@pytest.mark.parametrize(('rate', 'std', 'seed'), [(0.4, 0.1, 0), (0.1, 0.3, 7), (0.9, 0.05, 2)])
def test_against_a_plain_version(rate, std, seed, monkeypatch):
    labels, images = make(120, 4)
    found = InstanceDependentNoise(rate, seed=seed, std=std)(labels, 4, images)
    assert found.dtype == np.int64 and found.tolist() == plain(labels, images, 4, rate, std, seed)
    assert (found != labels).any() and (found == labels).any()
    monkeypatch.setattr(noise_instance, '_CHUNK', 7)
    assert (InstanceDependentNoise(rate, seed=seed, std=std)(labels, 4, iter(images)) == found).all()


def test_digits_are_frozen():
    """The same seed must give these labels on every machine, for good."""
    dataset = NoisyLabelDataset(DIGITS, noise=IDN)
    assert digest(dataset.given_labels) == FROZEN
    assert 'InstanceDependentNoise(rate=0.4, std=0.1, seed=0), nominal noise rate 0.4000, expected 0.4000' in repr(
        dataset
    )


def test_a_terminal_shows_both_steps(terminal):
    labels, images = make(30, 3)
    with terminal:
        found = InstanceDependentNoise(0.4)(labels, 3, iter(images))
    drawn = terminal.seen.split('\r')
    assert any(line.startswith('images to make noise of ') and '29/30' in line for line in drawn)
    assert any(line.startswith('noisy labels ') and '30/30' in line for line in drawn) and terminal.screen == []
    assert (InstanceDependentNoise(0.4)(labels, 3, images) == found).all()


@pytest.mark.parametrize(('rate', 'std'), [(0.0, 0.1), (0.2, 0.1), (0.4, 0.1), (0.95, 0.2), (0.5, 3.0)])
def test_rates(rate, std):
    labels, images = make(40_000, 5, shape=(1, 1, 3))
    noise = InstanceDependentNoise(rate, std=std)
    expected = noise.expected_rate(labels, 5)
    # The mean by the trapezoidal rule.
    grid = np.linspace(0, 1, 100_001)
    density = np.exp(-0.5 * ((grid - rate) / std) ** 2)
    assert expected == pytest.approx(np.trapezoid(grid * density, grid) / np.trapezoid(density, grid), abs=1e-8)
    # The standard deviation of the measured rate is 0.0025 or less.
    assert (noise(labels, 5, images) != labels).mean() == pytest.approx(expected, abs=0.01)


def test_a_rate_without_spread():
    labels, images = make(2000, 3)
    assert (InstanceDependentNoise(0, std=0)(labels, 3, images) == labels).all()
    assert (InstanceDependentNoise(1, std=0)(labels, 3, images) != labels).all()
    assert InstanceDependentNoise(0.3, std=0).expected_rate(labels, 3) == 0.3


def test_wrong_class_follows_from_the_image():
    """Of one image, in which all products are far apart, nearly all wrong labels are of one class."""
    image = make(1, 10, shape=(16, 16, 3))[1][0]
    given = InstanceDependentNoise(0.5)(np.zeros(500, dtype=int), 10, [image] * 500)
    assert np.sort(np.bincount(given, minlength=10)[1:])[:-2].sum() < 25


def test_two_classes_and_large_products():
    labels, images = make(300, 2, shape=(64, 64, 3))
    given = InstanceDependentNoise(0.5, std=0)(labels, 2, np.full_like(images, 255))
    assert 0.4 < (given != labels).mean() < 0.6


# What the dataset hands over


def test_images_are_those_before_the_pipeline(tmp_path):
    with cifar_without_md5():
        dataset = DATASETS.build(
            dict(
                type='CIFAR10',
                data_root=str(build_cifar10(tmp_path)),
                download=False,
                pipeline=[dict(type='RandomFlip', prob=1.0), dict(type='Resize', scale=8)],
            )
        )
    images = [dataset.get_data_info(i)['img'] for i in range(len(dataset))]
    expected = InstanceDependentNoise(0.4)(dataset.get_gt_labels(), 10, images)
    assert NoisyLabelDataset(dataset, noise=IDN).given_labels.tolist() == expected.tolist()


def test_copies_of_an_image_have_one_label():
    once = NoisyLabelDataset(ToyDataset(serialize_data=False), noise=IDN)
    parts = [
        dict(type='RepeatDataset', dataset=ToyDataset(serialize_data=False), times=2),
        ToyDataset(labels=(1,) * 5, first=200),
    ]
    several = NoisyLabelDataset(dict(type='ConcatDataset', datasets=parts), noise=IDN)
    assert several.given_labels[:100].tolist() == several.given_labels[100:200].tolist()
    toy = NoisyLabelDataset(RepeatDataset(ToyDataset(serialize_data=False), 3), noise=IDN)
    assert toy.given_labels.tolist() == once.given_labels.tolist() * 3
    assert once.noise_rate > 0.2


def test_any_callable_may_need_images():
    def by_brightness(labels, num_classes, images):
        return np.array([image.max() % num_classes for image in images])

    by_brightness.needs_images = True
    dataset = NoisyLabelDataset(ToyDataset(first=1), noise=by_brightness)
    assert dataset.given_labels.tolist() == [(1 + i) % 4 for i in range(100)]


def test_image_files(tmp_path):
    root = build_image_folder(tmp_path, num_classes=4, images_per_class=3)
    folder = dict(type='CustomDataset', data_root=str(root), pipeline=[])
    dataset = DATASETS.build(folder)
    images = list(images_of([dataset]))
    as_rgb = [np.array(Image.open(dataset.get_data_info(i)['img_path'])) for i in range(12)]
    assert all((image[..., ::-1] == rgb).all() for image, rgb in zip(images, as_rgb, strict=True))
    noisy = NoisyLabelDataset(folder, noise=dict(IDN, rate=0.8))
    assert noisy.given_labels.tolist() == InstanceDependentNoise(0.8)(noisy.true_labels, 4, images).tolist()

    Image.fromarray(as_rgb[5][:9]).save(dataset.get_data_info(5)['img_path'])
    with pytest.raises(ValueError, match=r'image 5 has shape \(9, 16, 3\), but image 0 \(16, 16, 3\); set size='):
        NoisyLabelDataset(folder, noise=IDN)
    images[5] = images[5][:9]
    small = [resize_area(image, 4, 6) for image in images]
    noisy = NoisyLabelDataset(folder, noise=dict(IDN, size=[4, 6]))
    assert noisy.given_labels.tolist() == InstanceDependentNoise(0.4)(noisy.true_labels, 4, small).tolist()
    assert 'std=0.1, size=(4, 6), seed=0' in repr(noisy)
    (root / 'class_0' / '000.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'000\.png'):
        NoisyLabelDataset(dataset, noise=IDN)


# Resizing


@pytest.mark.parametrize('new', [(3, 4), (7, 5), (5, 10), (1, 1), (12, 9)])
def test_resizing_is_the_mean_of_the_area(new):
    image = make(1, 2, shape=(7, 5, 3))[1][0]
    # Each old pixel is a block of h x w, so that each new one is a block of H x W.
    blocks = image.astype(int).repeat(new[0], axis=0).repeat(new[1], axis=1)
    sums = blocks.reshape(new[0], 7, new[1], 5, 3).sum(axis=(1, 3))
    found = resize_area(image, *new)
    assert found.dtype == np.uint8 and found.tolist() == [
        [[math.floor(s / 35 + 0.5) for s in point] for point in row] for row in sums.tolist()
    ]


# Refusals


@pytest.mark.parametrize(
    ('kwargs', 'error', 'message'),
    [
        (dict(rate=1.2), ValueError, r'rate must be in \[0, 1\], got 1.2'),
        (dict(rate=0.4, std=-0.1), ValueError, 'std of the noise must be a finite number >= 0, got -0.1'),
        (dict(rate=0.4, std=float('nan')), ValueError, 'std .* got nan'),
        (dict(rate=0.4, std='a'), TypeError, "std .* got 'a'"),
        (dict(rate=0.4, size=0), ValueError, 'size must be positive, got 0'),
        (dict(rate=0.4, size=(3, 2.5)), TypeError, r'\(height, width\), got \(3, 2.5\)'),
        (dict(rate=0.4, size=(3,)), TypeError, r'\(height, width\), got \(3,\)'),
    ],
)
def test_bad_arguments(kwargs, error, message):
    with pytest.raises(error, match=message):
        TASK_UTILS.build(dict(type='InstanceDependentNoise', **kwargs))


@pytest.mark.parametrize(
    ('images', 'error', 'message'),
    [
        (None, ValueError, 'InstanceDependentNoise depends on the images'),
        (np.zeros((2, 4, 4, 3), dtype=np.uint8), ValueError, 'got 3 labels, but 2 images'),
        (np.zeros((5, 4, 4, 3), dtype=np.uint8), ValueError, 'got 3 labels, but more images'),
        (np.zeros((3, 4, 4, 3)), TypeError, 'image 0 must be uint8, got float64'),
        (np.zeros((3, 4), dtype=np.uint8), ValueError, r'image 0 must be \(H, W, C\), got shape \(4,\)'),
    ],
)
def test_bad_images(images, error, message):
    with pytest.raises(error, match=message):
        InstanceDependentNoise(0.4)(np.arange(3), 3, images)


def test_images_of_other_channels_and_one_class():
    images = [np.zeros((4, 4, 3), dtype=np.uint8), np.zeros((4, 4), dtype=np.uint8)]
    with pytest.raises(ValueError, match=r'image 1 has shape \(2, 2, 1\), but image 0 \(2, 2, 3\)$'):
        InstanceDependentNoise(0.4, size=2)(np.arange(2), 2, images)
    with pytest.raises(ValueError, match='needs two classes or more, got 1'):
        InstanceDependentNoise(0.4)(np.zeros(2, dtype=int), 1, images)


@pytest.mark.parametrize(
    ('info', 'error', 'message'),
    [
        (dict(gt_label=0), ValueError, 'Odd, index 0: the data info has neither img nor img_path'),
        (dict(gt_label=0, img=np.zeros((2, 2, 3))), TypeError, 'Odd, index 0: img must be .* got float64'),
        (dict(gt_label=0, img='cat'), TypeError, 'Odd, index 0: img must be .* got str'),
    ],
)
def test_datasets_without_usable_images(info, error, message):
    class Odd(ToyDataset):
        def load_data_list(self):
            return [info]

    with pytest.raises(error, match=message):
        NoisyLabelDataset(Odd(serialize_data=False), noise=IDN)
