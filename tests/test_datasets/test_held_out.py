# SPDX-License-Identifier: Apache-2.0
"""What is held out of a noisy training set is missing from it, and keeps the labels that it was given."""

import numpy as np
import pytest
from mmengine.dataset import RepeatDataset
from toy import Stamp, ToyDataset

from tcl_plugin.datasets import NoisyLabelDataset

SYM = dict(type='SymmetricNoise', rate=0.8, seed=0)


def values(dataset):
    """Which image each sample is."""
    return np.array([int(dataset[i]['img'][0, 0, 0]) for i in range(len(dataset))])


def parts(dataset=None, **kwargs):
    kept = NoisyLabelDataset(ToyDataset() if dataset is None else dataset, **dict(noise=SYM, held_out=0.3) | kwargs)
    return kept, kept.held_out_part()


def test_both_parts_have_the_labels_of_the_whole():
    whole = NoisyLabelDataset(ToyDataset(), noise=SYM)
    kept, held = parts()
    assert (len(kept), len(held)) == (70, 30)
    assert sorted([*values(kept), *values(held)]) == list(range(100))
    for part in (kept, held):
        images = values(part)
        assert np.array_equal(part.image_index, images) and (np.diff(images) > 0).all()
        assert np.array_equal(part.given_labels, whole.given_labels[images])
        assert np.array_equal(part.true_labels, whole.true_labels[images])
        items = [part.get_data_info(i) for i in range(len(part))]
        assert [item['gt_label'] for item in items] == part.given_labels.tolist()
        assert [item['sample_idx'] for item in items] == list(range(len(part)))
        # A label file is of all images.
        assert np.array_equal(part.image_labels[1], whole.given_labels)
        assert part.noise_rate == (part.given_labels != part.true_labels).mean()
    assert 'held out 30, N=70' in repr(kept) and 'held out' not in repr(held)


def test_what_is_held_out_depends_on_its_seed_alone():
    _, held = parts()
    # Drawn once, and the same on every machine.
    assert values(held)[:6].tolist() == [3, 6, 8, 9, 16, 29]
    other_noise = parts(noise=dict(SYM, seed=1))
    assert np.array_equal(values(other_noise[1]), values(held))
    assert not np.array_equal(values(parts(held_out_seed=1)[1]), values(held))


def test_copies_of_an_image_stay_together():
    kept, held = parts(RepeatDataset(ToyDataset(), 2))
    assert (len(kept), len(held)) == (140, 60)
    assert not set(values(kept)) & set(values(held))


def test_label_files_and_natural_noise(tmp_path):
    np.save(tmp_path / 'labels.npy', (np.arange(100) + 1) % 4)
    _, held = parts(noise=None, label_file=tmp_path / 'labels.npy')
    assert np.array_equal(held.given_labels, (values(held) + 1) % 4)
    _, held = parts(noise=None)
    assert held.true_labels is None and np.array_equal(held.given_labels, values(held) % 4)


def test_images_of_another_dataset_are_held_out_like_others():
    other = dict(type='ToyDataset', first=100, labels=(0,) * 100)
    kept, held = parts(noise=None, open_set=dict(type='OpenSetNoise', dataset=other, rate=0.5))
    for part in (kept, held):
        assert np.array_equal(values(part) >= 100, part.true_labels == -1)
    assert sum((values(part) >= 100).sum() for part in (kept, held)) == 50


def test_held_out_part_runs_other_pipelines():
    kept, held = parts(ToyDataset(pipeline=[Stamp('train')]))
    assert {item['mark'] for item in held.with_pipeline([Stamp('test')])} == {'test'}
    assert {item['mark'] for item in kept} == {'train'}


@pytest.mark.parametrize(
    ('share', 'error', 'message'),
    [
        (1.0, ValueError, 'held_out must be a share of the images, at least 0 and below 1, got 1.0'),
        (-0.1, ValueError, 'got -0.1'),
        ('0.1', TypeError, "held_out must be a number, got '0.1'"),
        (True, TypeError, 'held_out must be a number, got True'),
        (0.001, ValueError, 'held_out=0.001 holds out 0 of 100 images'),
    ],
)
def test_shares_that_make_no_part(share, error, message):
    with pytest.raises(error, match=message):
        parts(held_out=share)


def test_bad_seed():
    with pytest.raises(ValueError, match=r'held_out_seed must be in \[0, 2\*\*32\), got -1'):
        parts(held_out_seed=-1)


def test_nothing_is_held_out_unless_asked():
    with pytest.raises(ValueError, match=r'no images are held out: set held_out=0.1'):
        NoisyLabelDataset(ToyDataset(), noise=SYM).held_out_part()
    with pytest.raises(ValueError, match='no images are held out'):
        parts()[1].held_out_part()
