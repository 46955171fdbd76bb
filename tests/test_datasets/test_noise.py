# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from mmengine.config import Config
from mmpretrain.registry import TASK_UTILS

from tcl_plugin.datasets import AsymmetricNoise, SymmetricNoise
from tcl_plugin.datasets.mappings import NAMED_MAPPINGS

LABELS = np.arange(20_000) % 10


@pytest.mark.parametrize('rate', [0.2, 0.5, 0.8, 0.9])
def test_symmetric_rate_includes_the_true_class(rate):
    noise = SymmetricNoise(rate)
    given = noise(LABELS, 10)
    assert given.dtype == np.int64 and given.shape == LABELS.shape
    assert (given != LABELS).mean() == pytest.approx(rate * 0.9, abs=0.01)
    assert noise.expected_rate(LABELS, 10) == pytest.approx(rate * 0.9)


def test_symmetric_labels_are_uniform_for_every_class():
    given = SymmetricNoise(1.0)(LABELS, 10)
    joint = np.zeros((10, 10))
    np.add.at(joint, (LABELS, given), 1)
    assert np.abs(joint / 200 - 1).max() < 0.35  # 200 expected, standard deviation 13


def test_symmetric_changes_no_more_than_the_chosen_number():
    labels = np.zeros(100, dtype=int)
    # K = 1000: a random label is almost surely another one. 0.29 * 100 is below 29 in binary.
    assert (SymmetricNoise(0.29)(labels, 1000) != 0).sum() == 29
    assert (SymmetricNoise(0.297)(labels, 1000) != 0).sum() == 29


def test_stream_is_frozen():
    """The same seed must give these labels on every machine, for good."""
    labels = np.arange(12) % 10
    assert SymmetricNoise(0.5, seed=0)(labels, 10).tolist() == FROZEN_SYM_0
    assert SymmetricNoise(0.5, seed=7)(labels, 10).tolist() == FROZEN_SYM_7
    asym = AsymmetricNoise(0.5, 'cifar10', seed=0)
    assert asym(labels, 10).tolist() == FROZEN_ASYM_0


FROZEN_SYM_0 = [0, 1, 7, 3, 6, 5, 8, 7, 8, 9, 7, 1]
FROZEN_SYM_7 = [0, 7, 6, 3, 4, 4, 6, 8, 8, 9, 7, 1]
FROZEN_ASYM_0 = [0, 1, 0, 3, 7, 5, 6, 7, 8, 9, 0, 1]


def test_calls_neither_depend_on_nor_touch_the_global_stream():
    np.random.seed(3)
    first = SymmetricNoise(0.5)(LABELS, 10)
    after = np.random.rand()
    np.random.seed(3)
    assert np.random.rand() == after
    assert np.array_equal(SymmetricNoise(0.5)(LABELS, 10), first)
    assert not np.array_equal(SymmetricNoise(0.5, seed=1)(LABELS, 10), first)


def test_input_stays_as_it_is():
    labels = LABELS.astype(np.int64)
    SymmetricNoise(1.0)(labels, 10)
    AsymmetricNoise(1.0, 'cifar10')(labels, 10)
    assert np.array_equal(labels, LABELS)


@pytest.mark.parametrize('noise', [SymmetricNoise(0), AsymmetricNoise(0, 'cifar10')])
def test_rate_zero_changes_nothing(noise):
    assert np.array_equal(noise(LABELS, 10), LABELS)
    assert noise.expected_rate(LABELS, 10) == 0


def test_asymmetric_rate_one_applies_the_mapping():
    given = AsymmetricNoise(1.0, 'cifar10')(LABELS, 10)
    expected = np.array([0, 1, 0, 5, 7, 3, 6, 7, 8, 1])
    assert np.array_equal(given, expected[LABELS])


def test_mappings_of_similar_classes():
    """Patrini et al., CVPR 2017, and what is our choice."""
    assert NAMED_MAPPINGS['cifar10'] == ({9: 1, 2: 0, 3: 5, 5: 3, 4: 7}, 10)
    assert NAMED_MAPPINGS['fashion_mnist'] == ({6: 0, 2: 4, 4: 2, 5: 7, 7: 9}, 10)


@pytest.mark.parametrize('name', ['cifar10', 'fashion_mnist'])
def test_asymmetric_chooses_among_all_samples(name):
    noise = AsymmetricNoise(0.4, name)
    given = noise(LABELS, 10)
    assert len(noise.mapping) == 5 and len(set(noise.mapping.values())) == 5
    for label in range(10):
        of_class = given.reshape(-1, 10)[:, label]  # LABELS are 0..9 again and again
        moved = of_class != label
        assert moved.mean() == pytest.approx(0.4 if label in noise.mapping else 0, abs=0.04)
        assert set(of_class) <= {label, noise.mapping.get(label)}
    assert noise.expected_rate(LABELS, 10) == pytest.approx(0.2)
    assert (given != LABELS).mean() == pytest.approx(0.2, abs=0.01)


def test_asymmetric_expected_rate_follows_the_class_shares():
    labels = np.repeat([0, 1], [30, 70])
    assert AsymmetricNoise(0.5, [[0, 1]]).expected_rate(labels, 2) == pytest.approx(0.15)
    assert AsymmetricNoise(0.5, [[0, 0]]).expected_rate(labels, 2) == 0


@pytest.mark.parametrize('mapping', [{2: 0, 3: 1}, {'2': 0, '3': '1'}, [[2, 0], [3, 1]], ((2, 0), (np.int64(3), 1))])
def test_mapping_in_every_form(mapping):
    given = AsymmetricNoise(1.0, mapping)(np.arange(4), 4)
    assert given.tolist() == [0, 1, 0, 1]


def test_build_from_a_config_text():
    text = "noise = dict(type='AsymmetricNoise', rate=1.0, mapping=[[0, 1]], seed=3)"
    noise = TASK_UTILS.build(Config.fromstring(text, '.py').noise)
    assert noise(np.array([0, 1]), 2).tolist() == [1, 1]
    assert repr(noise) == 'AsymmetricNoise(rate=1, mapping={0: 1}, seed=3)'
    noise = TASK_UTILS.build(dict(type='SymmetricNoise', rate=0.5))
    assert repr(noise) == 'SymmetricNoise(rate=0.5, seed=0)'


@pytest.mark.parametrize('rate', [-0.1, 1.01, float('nan'), float('inf')])
def test_rate_outside_its_range(rate):
    with pytest.raises(ValueError, match=rf'rate must be in \[0, 1\], got {rate}'):
        SymmetricNoise(rate)


@pytest.mark.parametrize('rate', ['0.5', None, True])
def test_rate_of_a_wrong_type(rate):
    with pytest.raises(TypeError, match=f'{rate!r}'):
        SymmetricNoise(rate)


@pytest.mark.parametrize(
    ('seed', 'error'), [(-1, ValueError), (2**32, ValueError), (0.5, TypeError), (None, TypeError)]
)
def test_bad_seed(seed, error):
    with pytest.raises(error, match=f'seed .*{seed}'):
        SymmetricNoise(0.5, seed=seed)


@pytest.mark.parametrize(
    ('mapping', 'error', 'message'),
    [
        ('cifar11', ValueError, 'cifar11'),
        ({}, ValueError, 'empty'),
        ([[1, 2], [1, 3]], ValueError, 'source class 1 twice'),
        ([[1, -2]], ValueError, 'got -2'),
        ([[1, 2.0]], ValueError, 'got 2.0'),
        ({'cat': 'dog'}, ValueError, "got 'cat'"),
        ([1, 2], TypeError, r'\[1, 2\]'),
        (5, TypeError, 'got 5'),
    ],
)
def test_bad_mapping(mapping, error, message):
    with pytest.raises(error, match=message):
        AsymmetricNoise(0.5, mapping)


@pytest.mark.parametrize('mapping', [[[1, 4]], [[4, 1]]])
def test_mapping_outside_the_classes(mapping):
    source, target = mapping[0]
    with pytest.raises(ValueError, match=rf'{source} -> {target} is outside the classes 0\.\.3'):
        AsymmetricNoise(0.5, mapping)(np.arange(4), 4)


def test_named_mapping_for_another_number_of_classes():
    with pytest.raises(ValueError, match="'cifar10' is made for 10 classes, got 100"):
        AsymmetricNoise(0.5, 'cifar10')(np.arange(100), 100)


@pytest.mark.parametrize(
    ('labels', 'error', 'message'),
    [
        (np.array([0, 1, 10]), ValueError, r'label 10 at index 2 is outside 0\.\.9'),
        (np.array([0, -1]), ValueError, 'label -1 at index 1'),
        (np.array([2**64 - 1], dtype=np.uint64), ValueError, 'label 18446744073709551615'),
        (np.array([0.0, 1.0]), TypeError, 'float64'),
        (np.array([True]), TypeError, 'bool'),
        (np.zeros((2, 2), dtype=int), ValueError, r'\(2, 2\)'),
    ],
)
def test_bad_labels(labels, error, message):
    with pytest.raises(error, match=message):
        SymmetricNoise(0.5)(labels, 10)
