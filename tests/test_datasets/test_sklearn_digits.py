# SPDX-License-Identifier: Apache-2.0
import hashlib

import numpy as np
import pytest
from mmpretrain.registry import DATASETS
from sklearn.datasets import load_digits

from tcl_plugin.datasets.sklearn_digits import SklearnDigits, split_mask


def images_of(dataset):
    return np.stack([dataset.get_data_info(i)['img'] for i in range(len(dataset))])


def test_sizes_and_items():
    train, test = SklearnDigits(), DATASETS.build(dict(type='SklearnDigits', split='test'))
    assert (len(train), len(test)) == (1437, 360)
    info = test[3]
    assert info['img'].shape == (8, 8, 3) and info['img'].dtype == np.uint8
    assert type(info['gt_label']) is int
    assert ''.join(train.CLASSES) == '0123456789'
    assert 'Split: \ttest' in repr(test)


def test_split_covers_all_scans_once_and_keeps_their_labels():
    data, labels = load_digits(return_X_y=True)
    train, test = SklearnDigits(split='train'), SklearnDigits(split='test')
    mask = split_mask(labels, 360)
    for dataset, chosen in ((train, ~mask), (test, mask)):
        images = images_of(dataset)
        assert np.array_equal(images[..., 0], images[..., 1])
        assert np.array_equal(images[..., 0], images[..., 2])
        # Back to 0..16 without loss, in the order of scikit-learn.
        values = np.round(images[..., 0] * (16 / 255)).reshape(-1, 64)
        assert np.array_equal(values, data[chosen])
        assert np.array_equal(dataset.get_gt_labels(), labels[chosen])
        assert (images.min(), images.max()) == (0, 255)


def test_split_is_stratified():
    _, labels = load_digits(return_X_y=True)
    counts = np.bincount(SklearnDigits(split='test').get_gt_labels())
    exact = np.bincount(labels) * 360 / 1797
    assert counts.sum() == 360
    assert np.abs(counts - exact).max() < 1


def test_split_is_frozen():
    """The same images must be test images on every machine, for good."""
    _, labels = load_digits(return_X_y=True)
    chosen = np.flatnonzero(split_mask(labels, 360))
    assert chosen[:8].tolist() == FROZEN_START
    assert hashlib.sha256(chosen.astype('<i8').tobytes()).hexdigest() == FROZEN_SHA256


FROZEN_START = [3, 7, 13, 19, 36, 38, 43, 48]
FROZEN_SHA256 = 'd040d215f6d53853c9970b2d18eb9baf0d3094938a1baddba4675d9b45e11fb6'


def test_split_mask_gives_what_is_left_over_to_the_largest_remainders():
    # Shares of 5 out of 10: 2.5, 1.5 and 1; the tie goes to the first.
    labels = np.repeat([0, 1, 2], [5, 3, 2])
    assert np.bincount(labels[split_mask(labels, 5)]).tolist() == [3, 1, 1]


def test_indices_and_unknown_split():
    assert len(SklearnDigits(indices=50)) == 50
    with pytest.raises(ValueError, match="got 'val'"):
        SklearnDigits(split='val')
