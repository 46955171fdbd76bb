# SPDX-License-Identifier: Apache-2.0
"""A fresh, balanced subset each epoch, shared out among processes; other passes see all samples."""

import numpy as np
import pytest
from mmengine.hooks import Hook
from mmpretrain.registry import DATA_SAMPLERS
from sampler_workers import Labels, draw
from toy_runs import PLAIN_PIPELINE, build_runner, classifier, hook, noisy_digits

from tcl_plugin.datasets import ClassBalancedSubsetSampler
from tcl_plugin.datasets.resident import ResidentDataset
from tcl_plugin.structures import indices_of

# Four classes of very different sizes; the third has no sample.
LABELS = [0] * 50 + [1] * 20 + [3] * 3 + [4] * 27


def counts(indices):
    return np.bincount(np.array(LABELS)[indices], minlength=5).tolist()


def test_classes_are_balanced_and_drawn_anew():
    length, (first, second, *_) = draw(0, LABELS, 12, seed=3, epochs=2)
    assert length == len(first) == 12 and counts(first) == counts(second) == [3, 3, 0, 3, 3]
    assert len(set(first)) == len(set(second)) == 12
    assert sorted(first) != sorted(second)
    assert np.array(LABELS)[first].tolist() != sorted(np.array(LABELS)[first])  # in random order
    # The first epoch of the next seed is not the second of this one.
    assert sorted(draw(0, LABELS, 12, seed=4, epochs=2)[1][0]) != sorted(second)


def test_an_epoch_is_the_same_whenever_it_comes():
    sampler = ClassBalancedSubsetSampler(Labels(LABELS), 12, seed=3)
    sampler.set_epoch(7)
    once = list(sampler)
    assert list(sampler) == once
    again = ClassBalancedSubsetSampler(Labels(LABELS), 12, seed=3)
    again.set_epoch(7)
    assert list(again) == once
    assert list(ClassBalancedSubsetSampler(Labels(LABELS), 12, seed=4)) != list(
        ClassBalancedSubsetSampler(Labels(LABELS), 12, seed=3)
    )


def test_small_class_repeats_evenly():
    _, (indices,) = draw(0, LABELS, 32, seed=0, epochs=1)
    assert counts(indices) == [8, 8, 0, 8, 8]
    small = [i for i in indices if LABELS[i] == 3]
    assert sorted(small.count(i) for i in set(small)) == [2, 3, 3]


def test_what_rounding_leaves_over_moves_from_class_to_class():
    _, epochs = draw(0, LABELS, 14, seed=0, epochs=30)
    found = {tuple(counts(indices)) for indices in epochs}
    assert len(found) == 6  # of 4 classes, 2
    assert {tuple(sorted(f)) for f in found} == {(0, 3, 3, 4, 4)}


def test_every_sample_has_its_turn():
    _, epochs = draw(0, LABELS, 12, seed=0, epochs=200)
    assert {i for indices in epochs for i in indices} == set(range(len(LABELS)))


@pytest.mark.parametrize('seed', [5, None])
def test_processes_share_one_subset(two_processes, seed):
    (length, first), (_, second) = two_processes(draw, LABELS, 15, seed, 3)
    assert length == 8
    for one, other in zip(first, second, strict=True):
        assert len(one) == len(other) == 8
        assert sorted(counts(one + other)) == [0, 4, 4, 4, 4]
        large = [i for i in one + other if LABELS[i] != 3]
        assert len(set(large)) == len(large)
    if seed is not None:
        _, alone = draw(0, LABELS, 16, seed, 3)
        assert [indices[0::2] for indices in alone] == first and [indices[1::2] for indices in alone] == second


def test_refusals():
    with pytest.raises(ValueError, match='num_samples must be 1 or more, got 0'):
        ClassBalancedSubsetSampler(Labels(LABELS), 0)
    with pytest.raises(ValueError, match='the dataset is empty'):
        ClassBalancedSubsetSampler(Labels([]), 3)
    with pytest.raises(TypeError, match='needs a dataset with given_labels, got list: wrap it in a NoisyLabelDataset'):
        DATA_SAMPLERS.build(dict(type='ClassBalancedSubsetSampler', dataset=[0, 1], num_samples=3))


class Trained(Hook):
    """Keeps the indices that each epoch trains on."""

    def __init__(self):
        self.epochs = []

    def before_train_epoch(self, runner):
        self.epochs.append([])

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.epochs[-1] += indices_of(data_batch['data_samples']).tolist()


@pytest.mark.parametrize('resident', [False, True])
def test_hooks_pass_over_all_samples(tmp_path, resident):
    hooks = [hook(None)] + ([dict(type='ResidentDataHook')] if resident else [])
    runner = build_runner(
        tmp_path, classifier(type='FastImageClassifier'), noisy_digits(pipeline=PLAIN_PIPELINE), *hooks, max_epochs=3
    )
    sampler = dict(type='ClassBalancedSubsetSampler', num_samples=20)
    runner._train_dataloader = runner.build_dataloader({**runner._train_dataloader, 'sampler': sampler}, seed=0)
    trained = Trained()
    runner.register_hook(trained)
    runner.train()
    dataset = runner.train_dataloader.dataset
    assert isinstance(dataset, ResidentDataset) == resident
    labels = dataset.given_labels
    for indices in trained.epochs:
        assert len(indices) == 20
        assert np.bincount(labels[indices], minlength=10).tolist() == [2] * 10
    assert sorted(trained.epochs[0]) != sorted(trained.epochs[1])
    loader = next(h for h in runner.hooks if type(h).__name__ == 'LabelNoiseHook')._loader
    passed = [i for batch in loader for i in indices_of(batch['data_samples']).tolist()]
    assert passed == list(range(len(dataset)))
