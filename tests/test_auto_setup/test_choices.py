# SPDX-License-Identifier: Apache-2.0
"""The rules that docs/datasets.md tells."""

import pytest

from tcl_plugin.auto_setup.choices import Facts, choose, fit_batch_size, fit_epochs, fit_image_size, fit_workers

GIB = 2**30
MIB = 2**20


def chosen(facts, lr=0.005, max_hours=12.0, **fixed):
    return choose(facts, fixed, lr, max_hours)


def test_a_few_thousand_images_on_a_gpu():
    choice = chosen(Facts(5000, 'cuda', cores=16, free_bytes=24 * GIB, sample_bytes=200 * MIB, model_bytes=120 * MIB))
    assert choice.values == dict(
        image_size=224,
        resize_edge=256,
        batch_size=32,
        val_batch_size=128,
        total_batch_size=32,
        max_epochs=30,
        warmup_epochs=3,
        lr=0.005,
        num_workers=8,
    )
    assert choice.notes == []


@pytest.mark.parametrize(('images', 'epochs'), [(100, 100), (1500, 100), (3000, 50), (10_000, 15), (10**6, 15)])
def test_epochs_go_with_the_number_of_images(images, epochs):
    assert fit_epochs(images) == epochs


@pytest.mark.parametrize(('epoch_hours', 'epochs'), [(0.4, 30), (0.41, 25), (0.7, 15), (5.0, 10)])
def test_epochs_go_with_the_time(epoch_hours, epochs):
    assert fit_epochs(5000, epoch_hours, max_hours=12) == epochs


@pytest.mark.parametrize(
    ('facts', 'batch'),
    [
        (Facts(10**6, 'cuda'), 32),
        (Facts(255, 'cpu'), 16),
        (Facts(100, 'cpu'), 8),
        (Facts(20, 'cpu'), 4),
        (Facts(3, 'cpu'), 2),
        (Facts(255, 'cpu', processes=2), 8),
        (Facts(10**6, 'cuda', free_bytes=8 * GIB, sample_bytes=400 * MIB, model_bytes=100 * MIB), 8),
        (Facts(10**6, 'cuda', free_bytes=8 * GIB, sample_bytes=400 * MIB, model_bytes=1365 * MIB), 2),
        (Facts(10**6, 'cpu', free_bytes=8 * GIB, sample_bytes=100 * MIB, tried_size=112), 8),
    ],
)
def test_batches_fit_memory_and_images(facts, batch):
    assert fit_batch_size(facts, 224) == batch


@pytest.mark.parametrize(
    ('seconds', 'size'), [(None, 224), (0.2, 224), (0.3, 160), (0.5, 160), (0.6, 112), (100.0, 112)]
)
def test_images_are_smaller_where_time_is_short(seconds, size):
    # 30 epochs of 5,000 images, and a tenth more, in 12 hours: 0.262 s each
    assert fit_image_size(Facts(5000, 'cpu', seconds=seconds), 30, 12.0) == size


def test_a_slow_cpu():
    facts = Facts(5000, 'cpu', cores=2, free_bytes=16 * GIB, sample_bytes=400 * MIB, seconds=4.0)
    choice = chosen(facts)
    assert (choice.values['image_size'], choice.values['max_epochs'], choice.values['num_workers']) == (112, 10, 0)
    # 10 epochs of 5,000 images at a quarter of 4 s, and a tenth more
    assert choice.notes[0].startswith('estimated time on cpu: about 15 hours (1 s for an image and epoch')
    assert 'longer than auto_setup.max_hours=12: a GPU' in choice.notes[1]
    assert len(chosen(facts, max_hours=16.0).notes) == 1
    assert ': about 14 min (' in chosen(Facts(750, 'cpu', seconds=1.0), max_epochs=1).notes[0]


def test_processes_share_the_work():
    facts = Facts(5000, 'cpu', processes=4, seconds=0.5)
    values = chosen(facts).values
    assert (values['batch_size'], values['total_batch_size'], values['lr']) == (32, 128, 0.02)
    assert values['image_size'] == 224 and chosen(Facts(5000, 'cpu', seconds=0.5)).values['image_size'] == 160


def test_what_a_person_has_chosen_is_kept_and_the_rest_suits_it():
    facts = Facts(5000, 'cpu', seconds=100.0)
    values = chosen(facts, image_size=96, batch_size=8, max_epochs=40, num_workers=3).values
    assert (values['image_size'], values['batch_size'], values['max_epochs'], values['num_workers']) == (96, 8, 40, 3)
    assert (values['resize_edge'], values['val_batch_size'], values['lr']) == (110, 32, 0.00125)
    assert values['warmup_epochs'] == 4
    values = chosen(facts, num_workers=0, warmup_epochs=0, lr=1.5, max_epochs=1).values
    assert (values['num_workers'], values['warmup_epochs'], values['lr'], values['max_epochs']) == (0, 0, 1.5, 1)


def test_batches_larger_than_the_data():
    with pytest.raises(ValueError, match=r'10 images to train on are fewer than a batch of 16: .*batch_size'):
        chosen(Facts(10, 'cpu'), batch_size=16)
    with pytest.raises(ValueError, match='1 images'):
        chosen(Facts(1, 'cpu'))


@pytest.mark.parametrize(
    ('device', 'cores', 'workers'), [('cuda', 1, 1), ('cuda', 6, 5), ('cuda', 64, 8), ('cpu', 2, 0), ('cpu', 64, 2)]
)
def test_workers(device, cores, workers):
    assert fit_workers(Facts(100, device, cores)) == workers
