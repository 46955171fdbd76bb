# SPDX-License-Identifier: Apache-2.0
"""Margin-diminishing noise is that of its formulas, and has the rate that it is asked for."""

import numpy as np
import pytest
from mmpretrain.registry import TASK_UTILS
from toy import ToyDataset

from tcl_plugin.datasets import MarginDiminishingNoise, NoisyLabelDataset

N, K = 4000, 5
RNG = np.random.RandomState(0)
PROBS = np.exp(2 * RNG.standard_normal((N, K)))
PROBS /= PROBS.sum(axis=1, keepdims=True)
LABELS = PROBS.argmax(axis=1)


def plain(probs, kind, rate, seed, scale):
    """The formulas, one image at a time; c by trying many."""
    functions = {
        1: lambda d: -(d**2) / 2 + 1 / 2,
        2: lambda d: 1 - d**3,
        3: lambda d: 1 - (d**3 + d**2 + d) / 3,
    }
    pairs = []
    for row in probs.tolist():
        u, s = sorted(range(len(row)), key=lambda k: -row[k])[:2]
        pairs.append((u, s, functions[kind](row[u] - row[s])))
    flip = np.array([p for *_, p in pairs])
    factors = np.linspace(0.01, 20, 20_000)
    if scale == 'keep':
        c = min(factors, key=lambda c: abs(np.minimum(1, (1 - flip) / c).mean() - (1 - rate)))
        stays = [min(1, (1 - p) / c) for *_, p in pairs]
    else:
        c = min(factors, key=lambda c: abs(np.minimum(1, c * flip).mean() - rate))
        stays = [1 - min(1, c * p) for *_, p in pairs]
    draws = np.random.RandomState(seed).random_sample(len(probs))
    return [u if draw < p else s for (u, s, _), p, draw in zip(pairs, stays, draws, strict=True)]


@pytest.mark.parametrize(
    ('kind', 'rate', 'scale'), [(1, 0.35, 'keep'), (2, 0.7, 'keep'), (3, 0.35, 'flip'), (1, 0.35, 'flip')]
)
def test_against_a_plain_version(kind, rate, scale):
    noise = TASK_UTILS.build(
        dict(type='MarginDiminishingNoise', probs=PROBS, rate=rate, kind=kind, seed=3, scale=scale)
    )
    given = noise(LABELS, K)
    assert (given == plain(PROBS, kind, rate, 3, scale)).mean() > 0.998  # but for the last digits of c
    assert (given != LABELS).mean() == pytest.approx(rate, abs=0.02)
    assert noise.expected_rate(LABELS, K) == pytest.approx(rate, abs=1e-5)
    assert (given == noise(LABELS, K)).all() and (
        given != MarginDiminishingNoise(PROBS, rate, kind, 0, scale)(LABELS, K)
    ).any()
    # Those that change are hard to tell apart.
    top = np.sort(PROBS, axis=1)[:, -2:]
    margin = top[:, 1] - top[:, 0]
    assert margin[given != LABELS].mean() < margin[given == LABELS].mean() - 0.05


def test_scale_of_the_flips_leaves_those_without_doubt():
    sure = np.where(np.arange(K) == LABELS[:, None], 1.0, 0.0)
    probs = np.where(np.arange(N)[:, None] < N // 2, sure, PROBS)
    changed = [
        MarginDiminishingNoise(probs, 0.35, scale=scale)(LABELS, K)[: N // 2] != LABELS[: N // 2]
        for scale in ('keep', 'flip')
    ]
    assert changed[0].any() and not changed[1].any()


def test_ends_and_labels_that_are_not_the_likeliest():
    assert (MarginDiminishingNoise(PROBS, 0.0)(LABELS, K) == LABELS).all()
    second = np.argsort(-PROBS, axis=1)[:, 1]
    assert (MarginDiminishingNoise(PROBS, 1.0, kind=2)(LABELS, K) == second).all()
    noise = MarginDiminishingNoise(PROBS, 0.35)
    assert noise.expected_rate(second, K) == pytest.approx(0.65, abs=1e-5)
    assert noise.expected_rate((LABELS + 1) % K, K) > 0.65
    assert noise.expected_rate(LABELS[:10], K) == 0.35  # of other images


def test_a_file_and_a_data_set(tmp_path):
    dataset = ToyDataset()
    dataset.full_init()
    count, classes = len(dataset), len(dataset.metainfo['classes'])
    probs = np.random.RandomState(1).dirichlet(np.ones(classes), size=count).astype(np.float16)
    np.save(tmp_path / 'probs.npy', probs)
    noise = dict(type='MarginDiminishingNoise', probs=str(tmp_path / 'probs.npy'), rate=0.5, kind=3)
    noisy = NoisyLabelDataset(dataset, noise=noise)
    assert noisy.given_labels.tolist() == MarginDiminishingNoise(probs, 0.5, 3)(noisy.true_labels, classes).tolist()
    named = (
        f'probs={tmp_path / "probs.npy"}, rate=0.5, kind=3, scale=keep, seed=0), nominal noise rate 0.5000, expected'
    )
    assert named in repr(noisy)


BAD = PROBS.copy()
BAD[7] *= 2


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (dict(probs=PROBS, rate=0.5, kind=4), 'kind of MarginDiminishingNoise must be 1, 2 or 3, got 4'),
        (
            dict(probs=PROBS, rate=0.5, scale='both'),
            "must be 'keep' or 'flip', got 'both'",
        ),
        (dict(probs=np.eye(9), rate=0.5, scale='flip'), 'no more than 0.0000 of the images'),
        (dict(probs=PROBS, rate=1.5), r'noise rate must be in \[0, 1\], got 1.5'),
        (dict(probs=BAD, rate=0.5), 'row 7 is not K numbers from 0 on that sum to 1'),
        (dict(probs=np.where(PROBS[0, 0] == PROBS, np.nan, PROBS), rate=0.5), 'row 0 is not K numbers'),
        (dict(probs=PROBS[0], rate=0.5), r'expected those of two classes or more for each image, got shape \(5,\)'),
        (
            dict(probs=np.full((9, 2), 0.5), rate=0.5, kind=2),
            'no more than 0.0000 of the images',
        ),
    ],
)
def test_what_makes_no_noise(options, words):
    with pytest.raises(ValueError, match=words):
        MarginDiminishingNoise(**options)


def test_files_that_hold_no_probabilities(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'probabilities .*gone\.npy do not exist'):
        MarginDiminishingNoise(str(tmp_path / 'gone.npy'), 0.5)
    (tmp_path / 'text.npy').write_text('0.5,0.5')
    with pytest.raises(ValueError, match=r'probabilities .*text\.npy: cannot be read'):
        MarginDiminishingNoise(str(tmp_path / 'text.npy'), 0.5)
    with pytest.raises(TypeError, match='expected numbers'):
        MarginDiminishingNoise(np.array([['a', 'b']]), 0.5)
    with pytest.raises(ValueError, match='are for 4000 images and 5 classes, but the data set has 10 and 5'):
        MarginDiminishingNoise(PROBS, 0.5)(LABELS[:10], K)
