# SPDX-License-Identifier: Apache-2.0
"""A run says what nearest neighbours make of its representations, and trains as if nobody asked."""

import pytest
import torch
from hook_workers import NeighborsAlone, train_with_neighbors
from toy_runs import EMA, PLAIN_PIPELINE, build_runner, classifier, hook, noisy_digits, recorded, tcl

NAME = 'knn/accuracy/top1'
# Weights make ties of votes unlikely.
NEIGHBORS = dict(type='KNNAccuracyHook', k=5, temperature=0.1)
VALIDATED = dict(by_epoch=True, max_epochs=2, val_interval=1)
SEVERAL = dict(
    batch_size=16,
    num_workers=0,
    dataset=dict(
        type='ConcatDataset',
        datasets=[
            dict(type='SklearnDigits', split='test', indices=size, pipeline=PLAIN_PIPELINE) for size in (40, 23)
        ],
    ),
    sampler=dict(type='DefaultSampler', shuffle=False),
)


def train(work_dir, *hooks, model=None, **changes):
    model, dataset = model or tcl(), changes.pop('dataset', noisy_digits(pipeline=PLAIN_PIPELINE))
    runner = build_runner(work_dir, model, dataset, *hooks, **dict(train_cfg=VALIDATED) | changes)
    runner.train()
    return runner


@pytest.mark.parametrize('model', [tcl(), classifier()])
def test_accuracy_of_the_vote(tmp_path, model):
    """Of a head with a projector and of one without."""
    dataset = noisy_digits() if model['type'] == 'TCL' else noisy_digits(pipeline=PLAIN_PIPELINE)
    runner = build_runner(tmp_path, model, dataset, hook(), NEIGHBORS, train_cfg=VALIDATED, val_dataloader=SEVERAL)
    alone = NeighborsAlone(k=5, temperature=0.1)
    runner.register_hook(alone)
    runner.train()
    found = [line[NAME] for line in recorded(tmp_path) if NAME in line]
    assert found == pytest.approx(alone.counted)
    assert found == pytest.approx(alone.found)
    assert all(0 < value < 100 for value in found)


def test_training_goes_the_same_way_with_and_without(tmp_path):
    dataset = noisy_digits()
    looking = train(tmp_path / 'looking', hook(), NEIGHBORS, EMA, dataset=dataset).model.state_dict()
    alone = train(tmp_path / 'alone', hook(), EMA, dataset=dataset).model.state_dict()
    assert all(torch.equal(looking[name], value) for name, value in alone.items())
    rest = [{k: v for k, v in line.items() if k != NAME} for line in recorded(tmp_path / 'looking')]
    assert rest == recorded(tmp_path / 'alone')


def test_kept_on_the_device_it_counts_the_same(tmp_path):
    changes = dict(model=classifier(), val_dataloader=SEVERAL)
    train(tmp_path / 'kept', NEIGHBORS, dict(type='ResidentDataHook'), **changes)
    train(tmp_path / 'plain', NEIGHBORS, **changes)
    assert recorded(tmp_path / 'kept') == recorded(tmp_path / 'plain')


def test_two_processes_count_together(tmp_path, two_processes):
    """41 training images, of which one process has 21, vote on 8 others."""
    for found, counted in two_processes(train_with_neighbors, str(tmp_path)):
        assert found == pytest.approx(counted)


def test_all_vote_where_there_are_fewer_than_asked(tmp_path):
    """All votes weigh the same: the class with most given labels wins each."""
    runner = train(tmp_path, dict(type='KNNAccuracyHook'), model=classifier(), val_dataloader=SEVERAL)
    given = torch.tensor(runner.train_dataloader.dataset.given_labels)
    true = torch.tensor([runner.val_dataloader.dataset[place]['data_samples'].gt_label for place in range(63)])
    expected = 100 * (true == given.bincount().argmax()).float().mean().item()
    assert [line[NAME] for line in recorded(tmp_path) if NAME in line] == pytest.approx([expected] * 2)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [(dict(k=0), 'k must be 1 or more, got 0'), (dict(temperature=0), 'temperature must be None or positive, got 0')],
)
def test_bad_arguments(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        build_runner(tmp_path, classifier(), noisy_digits(), dict(type='KNNAccuracyHook', **arguments))


def test_needs_labels_to_vote_with_and_images_to_vote_on(tmp_path):
    plain = dict(type='SklearnDigits', split='train', indices=20, pipeline=PLAIN_PIPELINE)
    with pytest.raises(ValueError, match=r'KNNAccuracyHook needs a NoisyLabelDataset as the outermost .* SklearnDigi'):
        train(tmp_path, NEIGHBORS, model=classifier(), dataset=plain)
    with pytest.raises(ValueError, match=r'more than one KNNAccuracyHook'):
        train(tmp_path, NEIGHBORS, dict(NEIGHBORS, k=9), model=classifier())
    nothing = dict(val_dataloader=None, val_evaluator=None, val_cfg=None)
    with pytest.raises(ValueError, match=r'neighbours of validation images, but this run has none'):
        train(tmp_path, NEIGHBORS, model=classifier(), train_cfg=dict(by_epoch=True, max_epochs=1), **nothing)
