# SPDX-License-Identifier: Apache-2.0
"""What holds for any labels: of noise generators, and of readers of label files."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from property_settings import few

from tcl_plugin.datasets import (
    AsymmetricNoise,
    AsymmetricPerClassNoise,
    InstanceDependentNoise,
    PairFlipNoise,
    SymmetricExclusiveNoise,
    SymmetricNoise,
    TransitionMatrixNoise,
    read_label_file,
)

RATES = st.floats(0, 1)
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def labelled(draw, least_classes: int = 2, most: int = 300) -> tuple[np.ndarray, int]:
    """Labels and the number of their classes, some of which may have no sample."""
    num_classes = draw(st.integers(least_classes, 12))
    labels = draw(st.lists(st.integers(0, num_classes - 1), max_size=most))
    return np.array(labels, dtype=draw(st.sampled_from(['int64', 'uint8', 'int32']))), num_classes


@st.composite
def matrices(draw, num_classes: int) -> np.ndarray:
    """A transition matrix."""
    rows = draw(
        st.lists(
            st.lists(st.integers(0, 9), min_size=num_classes, max_size=num_classes).filter(any),
            min_size=num_classes,
            max_size=num_classes,
        )
    )
    rows = np.array(rows, dtype=float)
    return rows / rows.sum(axis=1, keepdims=True)


@st.composite
def generators(draw, num_classes: int):
    """Any generator that suits so many classes."""
    rate, seed = draw(RATES), draw(SEEDS)
    kind = draw(st.sampled_from([SymmetricNoise, SymmetricExclusiveNoise, PairFlipNoise, AsymmetricNoise, None]))
    if kind is None:
        return TransitionMatrixNoise(draw(matrices(num_classes)).tolist(), seed=seed)
    if kind is AsymmetricNoise:
        kind = draw(st.sampled_from([AsymmetricNoise, AsymmetricPerClassNoise]))
        classes = st.integers(0, num_classes - 1)
        return kind(rate, draw(st.dictionaries(classes, classes, min_size=1)), seed=seed)
    return kind(rate, seed=seed)


@few
@given(st.data())
def test_given_labels_are_labels_and_always_the_same(data):
    labels, num_classes = data.draw(labelled())
    noise, before = data.draw(generators(num_classes)), labels.copy()
    given_labels = noise(labels, num_classes)
    assert given_labels.dtype == np.int64 and given_labels.shape == labels.shape
    assert ((given_labels >= 0) & (given_labels < num_classes)).all()
    assert np.array_equal(labels, before)
    assert np.array_equal(noise(labels, num_classes), given_labels)
    assert 0 <= noise.expected_rate(labels, num_classes) <= 1


@few
@given(labelled(), RATES, SEEDS)
def test_symmetric_noise_changes_no_more_than_it_chooses(sample, rate, seed):
    labels, num_classes = sample
    chosen = min(len(labels), int(np.floor(rate * len(labels) + 1e-6)))
    inclusive = SymmetricNoise(rate, seed)(labels, num_classes) != labels
    exclusive = SymmetricExclusiveNoise(rate, seed)(labels, num_classes) != labels
    assert inclusive.sum() <= chosen == exclusive.sum()
    assert not (inclusive & ~exclusive).any()  # both choose the same samples


@few
@given(labelled(), RATES, SEEDS)
def test_asymmetric_noise_goes_where_its_mapping_says(sample, rate, seed):
    labels, num_classes = sample
    mapping = {i: (i + 1) % num_classes for i in range(0, num_classes, 2)}
    for kind in (AsymmetricNoise, AsymmetricPerClassNoise):
        found = kind(rate, mapping, seed=seed)(labels, num_classes)
        for old, new in zip(labels[found != labels], found[found != labels], strict=True):
            assert mapping[int(old)] == new
    per_class = AsymmetricPerClassNoise(rate, mapping, seed=seed)
    moved = float((per_class(labels, num_classes) != labels).mean()) if len(labels) else 0.0
    assert moved == pytest.approx(per_class.expected_rate(labels, num_classes))


@few
@given(st.data())
def test_noise_of_a_matrix_stays_where_the_matrix_is_not_zero(data):
    labels, num_classes = data.draw(labelled())
    matrix = data.draw(matrices(num_classes))
    found = TransitionMatrixNoise(matrix.tolist(), seed=data.draw(SEEDS))(labels, num_classes)
    assert (matrix[labels, found] > 0).all()


@few
@given(st.integers(2, 10), RATES, SEEDS)
def test_measured_rates_are_near_the_expected_ones(num_classes, rate, seed):
    labels = np.arange(4000) % num_classes
    for noise in (SymmetricNoise(rate, seed), SymmetricExclusiveNoise(rate, seed), PairFlipNoise(rate, seed)):
        measured = (noise(labels, num_classes) != labels).mean()
        # Five standard deviations of 4000 draws, and what rounding takes away.
        assert abs(measured - noise.expected_rate(labels, num_classes)) <= 5 * 0.5 / np.sqrt(4000) + 1 / 4000


@few
@given(labelled(most=30), RATES, SEEDS, st.floats(0, 1))
def test_noise_of_images(sample, rate, seed, std):
    labels, num_classes = sample
    images = np.random.RandomState(0).randint(0, 256, (len(labels), 3, 3, 1)).astype(np.uint8)
    noise = InstanceDependentNoise(rate, seed, std=std)
    found = noise(labels, num_classes, images)
    assert found.shape == labels.shape and ((found >= 0) & (found < num_classes)).all()
    assert np.array_equal(found, noise(labels, num_classes, images))


# Label files


def write(path, labels: list, order: list[int]):
    """Write labels in the format of the suffix; of a table the rows in this order."""
    if path.suffix == '.npy':
        np.save(path, np.array(labels))
    elif path.suffix == '.npz':
        np.savez(path, labels=np.array(labels))
    elif path.suffix == '.pt':
        torch.save({'labels': torch.tensor(labels)}, path)
    elif path.suffix == '.json':
        path.write_text(json.dumps(labels))
    else:
        path.write_text('sample_idx,label\n' + ''.join(f'{i},{labels[i]}\n' for i in order))
    return path


SUFFIXES = ('.npy', '.npz', '.pt', '.json', '.csv')


@pytest.mark.parametrize('suffix', SUFFIXES)
@few
@given(data=st.data())
def test_any_labels_come_back(tmp_path, suffix, data):
    num_classes = data.draw(st.integers(1, 1000))
    labels = data.draw(st.lists(st.integers(0, num_classes - 1), min_size=1, max_size=50))
    order = data.draw(st.permutations(range(len(labels))))
    path = write(tmp_path / f'labels{suffix}', labels, order)
    found = read_label_file(path, len(labels), num_classes)
    assert found.dtype == np.int64 and found.tolist() == labels


def spoil(data, labels: list, num_classes: int) -> list:
    """Make one thing wrong."""
    index = data.draw(st.integers(0, len(labels) - 1))
    outside = st.integers(num_classes, 2**62) | st.integers(-(2**62), -1)
    wrong = data.draw(st.sampled_from(['range', 'float', 'short', 'long']))
    if wrong == 'short':
        return labels[:index] + labels[index + 1 :]
    if wrong == 'long':
        return [*labels, labels[index]]
    value = data.draw(outside) if wrong == 'range' else data.draw(st.floats(0, 1, exclude_max=True))
    return [*labels[:index], value, *labels[index + 1 :]]


@pytest.mark.parametrize('suffix', SUFFIXES)
@few
@given(data=st.data())
def test_any_wrong_labels_are_refused(tmp_path, suffix, data):
    num_classes = data.draw(st.integers(1, 1000))
    labels = data.draw(st.lists(st.integers(0, num_classes - 1), min_size=2, max_size=20))
    spoilt = spoil(data, labels, num_classes)
    path = write(tmp_path / f'labels{suffix}', spoilt, range(len(spoilt)))
    with pytest.raises((ValueError, TypeError), match=f'label file {path}'):
        read_label_file(path, len(labels), num_classes)


@pytest.mark.parametrize('suffix', SUFFIXES)
@few
@given(content=st.binary(max_size=200))
def test_any_bytes_are_refused_by_name(tmp_path, suffix, content):
    path = tmp_path / f'labels{suffix}'
    path.write_bytes(content)
    with pytest.raises((ValueError, TypeError), match=f'label file {path}'):
        read_label_file(path, 20, 10)


@pytest.mark.parametrize('suffix', SUFFIXES)
@few
@given(data=st.data())
def test_a_file_with_any_byte_changed_gives_labels_or_is_refused(tmp_path, suffix, data):
    labels = [3, 0, 2, 1, 1] * 4
    path = write(tmp_path / f'labels{suffix}', labels, range(20))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        found = read_label_file(path, 20, 4)
    except (ValueError, TypeError) as error:
        assert str(error).startswith(f'label file {path}')
    else:
        assert found.shape == (20,) and ((found >= 0) & (found < 4)).all()
