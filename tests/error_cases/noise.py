# SPDX-License-Identifier: Apache-2.0
"""Wrong settings of label noise."""

import numpy as np
from mmpretrain.registry import DATASETS

import tcl_plugin  # noqa: F401  registers everything

from .desk import Desk, case

DIGITS = dict(type='SklearnDigits', split='train', indices=20, pipeline=[])
IDENTITY = np.eye(10)


def noisy(desk: Desk, noise: object = None, **changes) -> str:
    """Build twenty digits with noise, and be refused."""
    return desk.building(lambda: DATASETS.build(dict(type='NoisyLabelDataset', dataset=DIGITS, noise=noise) | changes))


def symmetric(desk: Desk, **changes) -> str:
    return noisy(desk, dict(type='SymmetricNoise', rate=0.5, seed=0) | changes)


def asymmetric(desk: Desk, mapping: object) -> str:
    return noisy(desk, dict(type='AsymmetricNoise', rate=0.4, mapping=mapping))


def matrix(desk: Desk, entries: object) -> str:
    return noisy(desk, dict(type='TransitionMatrixNoise', matrix=entries))


@case('noise-rate-per-cent')
def rate_per_cent(desk: Desk) -> str:
    return symmetric(desk, rate=80)


@case('noise-rate-negative')
def rate_negative(desk: Desk) -> str:
    return symmetric(desk, rate=-0.1)


@case('noise-rate-nan')
def rate_nan(desk: Desk) -> str:
    return symmetric(desk, rate=float('nan'))


@case('noise-rate-text')
def rate_text(desk: Desk) -> str:
    return symmetric(desk, rate='0.5')


@case('noise-seed')
def seed(desk: Desk) -> str:
    return symmetric(desk, seed=-1)


@case('noise-unknown-type')
def unknown_type(desk: Desk) -> str:
    return symmetric(desk, type='SymetricNoise')


@case('noise-unknown-argument')
def unknown_argument(desk: Desk) -> str:
    return symmetric(desk, noise_rate=0.5)


@case('noise-is-none')
def is_none(desk: Desk) -> str:
    return noisy(desk, dict(type='OODDetector'))


@case('noise-and-label-file')
def and_label_file(desk: Desk) -> str:
    return noisy(desk, dict(type='SymmetricNoise', rate=0.5), label_file='labels.npy')


@case('noise-mapping-of-other-data')
def mapping_of_other_data(desk: Desk) -> str:
    return asymmetric(desk, 'cifar100_superclass')


@case('noise-mapping-outside')
def mapping_outside(desk: Desk) -> str:
    return asymmetric(desk, {3: 12})


@case('noise-mapping-empty')
def mapping_empty(desk: Desk) -> str:
    return asymmetric(desk, {})


@case('noise-mapping-source-twice')
def mapping_source_twice(desk: Desk) -> str:
    return asymmetric(desk, [[3, 5], [3, 7]])


@case('noise-matrix-rows')
def matrix_rows(desk: Desk) -> str:
    return matrix(desk, (0.9 * IDENTITY).tolist())


@case('noise-matrix-negative')
def matrix_negative(desk: Desk) -> str:
    return matrix(desk, (1.1 * IDENTITY - 0.1 * np.roll(IDENTITY, 1, axis=1)).tolist())


@case('noise-matrix-of-other-data')
def matrix_of_other_data(desk: Desk) -> str:
    return matrix(desk, np.eye(3).tolist())


@case('noise-matrix-shape')
def matrix_shape(desk: Desk) -> str:
    return matrix(desk, np.full((3, 4), 0.25).tolist())


@case('noise-matrix-file-nan')
def matrix_file_nan(desk: Desk) -> str:
    desk.write('matrix.json', '[[NaN, 1], [0, 1]]')
    return matrix(desk, 'matrix.json')


@case('noise-matrix-file-objects')
def matrix_file_objects(desk: Desk) -> str:
    np.save('matrix.npy', np.array([[{}]], dtype=object), allow_pickle=True)
    return matrix(desk, 'matrix.npy')


def margin(desk: Desk, probs: np.ndarray) -> str:
    return noisy(desk, dict(type='MarginDiminishingNoise', probs=probs, rate=0.35))


@case('noise-margin-rows')
def margin_rows(desk: Desk) -> str:
    return margin(desk, np.full((20, 10), 0.2))


@case('noise-margin-of-other-data')
def margin_of_other_data(desk: Desk) -> str:
    return margin(desk, np.eye(10)[:3])


@case('noise-images-of-other-data')
def images_of_other_data(desk: Desk) -> str:
    others = DIGITS | dict(split='test', indices=3)
    return noisy(desk, open_set=dict(type='OpenSetNoise', rate=0.5, dataset=others))


@case('noise-held-out-too-little')
def held_out_too_little(desk: Desk) -> str:
    return noisy(desk, held_out=0.01)


@case('noise-held-out-as-percentage')
def held_out_as_percentage(desk: Desk) -> str:
    return noisy(desk, held_out=10)


@case('noise-images-without-rate')
def images_without_rate(desk: Desk) -> str:
    return noisy(desk, open_set=dict(type='OpenSetNoise', dataset=DIGITS))
