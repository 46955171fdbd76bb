# SPDX-License-Identifier: Apache-2.0
"""Each variant of noise is exactly the one that its name says, with a stream that is frozen for good."""

import json

import numpy as np
import pytest
from mmpretrain.datasets.categories import CIFAR100_CATEGORIES
from mmpretrain.registry import TASK_UTILS

from tcl_plugin.datasets import (
    AsymmetricNoise,
    AsymmetricPerClassNoise,
    CIFAR100Coarse,
    NoisyLabelDataset,
    PairFlipNoise,
    SymmetricExclusiveNoise,
    SymmetricNoise,
    TransitionMatrixNoise,
)
from tcl_plugin.datasets.mappings import CIFAR100_SUPERCLASSES, NAMED_MAPPINGS

LABELS = np.arange(20_000) % 10
MATRIX = [[0.7, 0.2, 0.1], [0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]


def measured_matrix(noise, labels, num_classes):
    joint = np.zeros((num_classes, num_classes))
    np.add.at(joint, (labels, noise(labels, num_classes)), 1)
    return joint / joint.sum(axis=1, keepdims=True)


def test_streams_are_frozen():
    """The same seed must give these labels on every machine, for good."""
    labels = np.arange(12) % 3
    found = {
        'exclusive': SymmetricExclusiveNoise(0.5)(labels, 3),
        'per class': AsymmetricPerClassNoise(0.5, [[0, 1], [2, 0]])(labels, 3),
        'pair flip': PairFlipNoise(0.5)(labels, 3),
        'matrix': TransitionMatrixNoise(MATRIX, seed=1)(labels, 3),
    }
    assert {name: ''.join(map(str, given)) for name, given in found.items()} == FROZEN


FROZEN = {
    'exclusive': '010022111000',
    'per class': '010012112110',
    'pair flip': '122112022022',
    'matrix': '010010010012',
}


def test_symmetric_exclusive_is_never_the_true_class():
    noise = SymmetricExclusiveNoise(0.9)
    given = noise(LABELS, 10)
    assert (given != LABELS).mean() == noise.expected_rate(LABELS, 10) == 0.9
    # At this rate no class is more frequent than another: nothing is left to learn.
    assert np.abs(measured_matrix(noise, LABELS, 10) - 0.1).max() < 0.035
    with pytest.raises(ValueError, match='needs two classes or more, got 1'):
        SymmetricExclusiveNoise(0.5)(np.zeros(3, dtype=int), 1)


def test_the_expected_rate_is_that_of_whole_samples():
    labels = np.zeros(7, dtype=int)  # of which a rate of a half chooses three
    for noise in (SymmetricExclusiveNoise(0.5), AsymmetricNoise(0.5, {0: 1})):
        assert (noise(labels, 2) != labels).mean() == noise.expected_rate(labels, 2) == pytest.approx(3 / 7)
    drawn = [(SymmetricNoise(0.5, seed)(labels, 2) != labels).mean() for seed in range(2000)]
    assert np.mean(drawn) == pytest.approx(SymmetricNoise(0.5).expected_rate(labels, 2), abs=0.01)


def test_per_class_is_exact_for_each_source():
    noise, labels = AsymmetricPerClassNoise(0.4, 'cifar10'), np.repeat(np.arange(10), np.arange(11, 111, 10))
    given = noise(labels, 10)
    for source in range(10):
        of_class = given[labels == source]
        moved = of_class != source
        assert moved.sum() == (int(0.4 * len(of_class) + 1e-6) if source in noise.mapping else 0)
        assert set(of_class) <= {source, noise.mapping.get(source)}
    assert (given != labels).mean() == pytest.approx(noise.expected_rate(labels, 10), abs=1e-12)
    # Which ones is a matter of chance, not of order.
    assert set(np.diff(np.flatnonzero(given[labels == 9] != 9))) != {1}


def test_cifar100_superclasses():
    members = [fine for superclass in CIFAR100_SUPERCLASSES for fine in superclass]
    assert sorted(members) == list(range(100)) and {len(s) for s in CIFAR100_SUPERCLASSES} == {5}
    of = {fine: i for i, superclass in enumerate(CIFAR100_SUPERCLASSES) for fine in superclass}
    mapping, num_classes = NAMED_MAPPINGS['cifar100_superclass']
    assert num_classes == 100 and sorted(mapping.values()) == sorted(mapping) == list(range(100))
    assert all(of[source] == of[target] and source != target for source, target in mapping.items())
    # Five steps around the circle lead home.
    for start in range(100):
        place = start
        for _ in range(5):
            place = mapping[place]
        assert place == start
    # What is often used instead: of blocks of five ids, as measured, none is a superclass, and 6 transitions stay.
    blocks = {i: i - i % 5 + (i % 5 + 1) % 5 for i in range(100)}
    assert sum(of[i] == of[j] for i, j in blocks.items()) == 6
    noise = AsymmetricNoise(1.0, 'cifar100_superclass')
    assert (noise(np.arange(100), 100) == [mapping[i] for i in range(100)]).all()
    assert noise.expected_rate(np.arange(100), 100) == 1


def test_cifar100_superclasses_by_name():
    """As its authors list them, so that no two ids can have changed places."""
    listed = """aquatic_mammals: beaver dolphin otter seal whale; fish: aquarium_fish flatfish ray shark trout;
        flowers: orchid poppy rose sunflower tulip; food_containers: bottle bowl can cup plate;
        fruit_and_vegetables: apple mushroom orange pear sweet_pepper;
        household_electrical_devices: clock keyboard lamp telephone television;
        household_furniture: bed chair couch table wardrobe; insects: bee beetle butterfly caterpillar cockroach;
        large_carnivores: bear leopard lion tiger wolf;
        large_man-made_outdoor_things: bridge castle house road skyscraper;
        large_natural_outdoor_scenes: cloud forest mountain plain sea;
        large_omnivores_and_herbivores: camel cattle chimpanzee elephant kangaroo;
        medium_mammals: fox porcupine possum raccoon skunk; non-insect_invertebrates: crab lobster snail spider worm;
        people: baby boy girl man woman; reptiles: crocodile dinosaur lizard snake turtle;
        small_mammals: hamster mouse rabbit shrew squirrel;
        trees: maple_tree oak_tree palm_tree pine_tree willow_tree;
        vehicles_1: bicycle bus motorcycle pickup_truck train;
        vehicles_2: lawn_mower rocket streetcar tank tractor"""
    names, members = zip(*(entry.split(':') for entry in listed.split(';')), strict=True)
    found = [[CIFAR100_CATEGORIES[fine] for fine in superclass] for superclass in CIFAR100_SUPERCLASSES]
    assert found == [fine.split() for fine in members]
    assert list(CIFAR100Coarse.METAINFO['classes']) == [name.strip() for name in names]


def test_pair_flip():
    noise = PairFlipNoise(0.45)
    expected = 0.55 * np.eye(10) + 0.45 * np.eye(10)[(np.arange(10) + 1) % 10]
    np.testing.assert_allclose(noise.matrix(10), expected)
    assert np.abs(measured_matrix(noise, LABELS, 10) - expected).max() < 0.04
    assert noise.expected_rate(LABELS, 10) == pytest.approx(0.45)
    assert repr(TASK_UTILS.build(dict(type='PairFlipNoise', rate=0.45))) == 'PairFlipNoise(rate=0.45, seed=0)'
    assert (PairFlipNoise(1.0)(LABELS, 10) == (LABELS + 1) % 10).all()
    with pytest.raises(ValueError, match='needs two classes or more, got 1'):
        noise(np.zeros(3, dtype=int), 1)
    with pytest.raises(ValueError, match=r'rate must be in \[0, 1\], got 2'):
        PairFlipNoise(2)


def test_transition_matrix_against_a_plain_version():
    labels, given = LABELS % 3, TransitionMatrixNoise(MATRIX, seed=5)(LABELS % 3, 3)
    draws = np.random.RandomState(5).random_sample(len(labels))
    for label, draw, found in zip(labels[:500], draws, given, strict=False):
        end = 0.0
        for expected in range(3):
            end += MATRIX[label][expected]
            if draw < end:
                break
        assert found == expected
    assert np.abs(measured_matrix(TransitionMatrixNoise(MATRIX), labels, 3) - MATRIX).max() < 0.03
    assert TransitionMatrixNoise(MATRIX).expected_rate(labels, 3) == pytest.approx(
        np.array([0.3, 0, 0.5])[labels].mean()
    )


def test_what_a_row_lacks_by_rounding_goes_to_its_last_class():
    matrix = [[0.5, 0.5 - 9e-7, 0.0], [0, 1, 0], [0, 0, 1]]
    noise = TransitionMatrixNoise(matrix)
    zeros = np.zeros(3_000_000, dtype=int)
    assert set(noise(zeros, 3)) == {0, 1}


@pytest.mark.parametrize('suffix', ['.npy', '.json', '.csv'])
def test_transition_matrix_from_a_file(suffix, tmp_path):
    path = tmp_path / f'matrix{suffix}'
    if suffix == '.npy':
        np.save(path, np.array(MATRIX))
    elif suffix == '.json':
        path.write_text(json.dumps(MATRIX))
    else:
        rows = '\n'.join(','.join(map(str, row)) for row in MATRIX)
        path.write_text(rows, encoding='utf-8-sig')  # as spreadsheets write it
    noise = TransitionMatrixNoise(str(path))
    assert noise.matrix(3).tolist() == MATRIX and noise.rate is None
    assert repr(noise) == f'TransitionMatrixNoise(matrix={path}, seed=0)'
    with pytest.raises(ValueError, match=rf'{path.name} is made for 3 classes, got 10'):
        noise(LABELS, 10)


@pytest.mark.parametrize(
    ('matrix', 'error', 'message'),
    [
        ([[0.5, 0.5]], ValueError, r'K rows of K numbers, got shape \(1, 2\)'),
        ([[0.5, 0.5], [1.0]], TypeError, 'not K rows of K numbers'),
        ([['a', 'b'], ['c', 'd']], TypeError, 'not K rows of K numbers'),
        ([[0.5, 0.4], [0, 1]], ValueError, 'row 0 sums to 0.900000, not to 1'),
        ([[1.5, -0.5], [0, 1]], ValueError, r'entry 1.5 in row 0, column 0 is no probability'),
        ([[1.0, 0.0], [float('nan'), 1]], ValueError, 'entry nan in row 1, column 0'),
    ],
)
def test_bad_matrix(matrix, error, message):
    with pytest.raises(error, match=message):
        TransitionMatrixNoise(matrix)


def test_bad_matrix_files(tmp_path):
    (tmp_path / 'matrix.json').write_text('[[1, 0], [0')
    np.save(tmp_path / 'matrix.npy', np.array([{}], dtype=object), allow_pickle=True)
    (tmp_path / 'matrix.csv').write_text('1,x')
    for name, message in {
        'matrix.json': 'cannot be read',
        'matrix.npy': 'cannot be read: it holds pickled objects',
        'matrix.csv': 'cannot be read',
        'matrix.txt': "unknown suffix '.txt'",
    }.items():
        with pytest.raises(ValueError, match=rf'{name}: {message}'):
            TransitionMatrixNoise(str(tmp_path / name))
    with pytest.raises(FileNotFoundError, match=r'gone\.npy does not exist'):
        TransitionMatrixNoise(str(tmp_path / 'gone.npy'))


def test_the_dataset_says_what_it_has():
    dataset = dict(type='SklearnDigits', split='train', pipeline=[])
    matrix = (0.6 * np.eye(10) + 0.04).tolist()
    noisy = NoisyLabelDataset(dataset, noise=dict(type='TransitionMatrixNoise', matrix=matrix))
    assert 'TransitionMatrixNoise(matrix=array, seed=0), expected 0.3600, measured noise rate 0.3' in repr(noisy)
