# SPDX-License-Identifier: Apache-2.0
"""A resident dataset deals what the ordinary one deals, and refuses images that it could not deal."""

import copy
import pickle

import numpy as np
import pytest
import torch
from data_builders import build_image_folder
from mmengine.dataset import DefaultSampler, default_collate
from mmpretrain.registry import DATASETS
from PIL import Image
from torch.utils.data import DataLoader, SequentialSampler
from toy_runs import CROP, PLAIN_PIPELINE, noisy_digits

from tcl_plugin.datasets.resident import CannotKeepError, ResidentLoader, changing_transforms, read_all
from tcl_plugin.structures import SampleBatch, indices_of, labels_of

CPU = torch.device('cpu')
RESIZE = dict(type='Resize', scale=12)


@pytest.fixture(scope='module')
def dataset():
    return DATASETS.build(noisy_digits(pipeline=PLAIN_PIPELINE))


@pytest.fixture(scope='module')
def resident(dataset):
    return read_all(dataset, CPU)


def ordinary_loader(dataset, **kwargs):
    sampler = DefaultSampler(dataset, shuffle=True, seed=3)
    return DataLoader(dataset, batch_size=16, sampler=sampler, collate_fn=default_collate, **kwargs)


def test_deals_the_same_batches_in_the_same_order(dataset, resident):
    loader = ordinary_loader(dataset, drop_last=True)
    quick = ResidentLoader(ordinary_loader(dataset, drop_last=True), resident)
    assert len(quick) == len(loader) == 2
    assert (quick.batch_size, quick.drop_last) == (16, True)
    for epoch in range(2):
        for one in (loader.sampler, quick.batch_sampler.sampler):
            one.set_epoch(epoch)
        for expected, found in zip(loader, quick, strict=True):
            assert torch.equal(found['inputs'], expected['inputs']) and found['inputs'].dtype == torch.uint8
            assert isinstance(found['data_samples'], SampleBatch)
            assert labels_of(found['data_samples'], CPU).tolist() == labels_of(expected['data_samples'], CPU).tolist()
            assert torch.equal(indices_of(found['data_samples']), indices_of(expected['data_samples']))


@pytest.mark.parametrize('workers', [dict(), dict(num_workers=1), dict(num_workers=1, persistent_workers=True)])
def test_draws_as_many_random_numbers(dataset, resident, workers):
    """Otherwise dropout and mixup would differ between a run with and a run without it."""

    def draws(loader):
        torch.manual_seed(0)
        return [(len(list(loader)), torch.rand(1).item())[1] for _ in range(3)]

    expected = draws(ordinary_loader(dataset, **workers))
    assert draws(ResidentLoader(ordinary_loader(dataset, **workers), resident)) == expected


def test_reading_draws_none(dataset):
    torch.manual_seed(0)
    np.random.seed(0)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    read_all(dataset, CPU, num_workers=1)
    assert torch.equal(torch.get_rng_state(), states[0]) and (np.random.get_state()[1] == states[1]).all()


def test_is_the_dataset_otherwise(dataset, resident):
    assert len(resident) == len(dataset)
    assert resident.num_classes == 10 and resident.metainfo == dataset.metainfo
    assert (resident.given_labels == dataset.given_labels).all()
    assert torch.equal(resident[5]['inputs'], dataset[5]['inputs'])
    with pytest.raises(AttributeError, match='nonesuch'):
        _ = resident.nonesuch
    for twin in (copy.copy(resident), pickle.loads(pickle.dumps(resident))):
        assert torch.equal(twin.images, resident.images)


def test_wrappers_keep_their_numbering():
    """Copies of an image have the index that the ordinary loader gives them, too."""
    inner = dict(type='SklearnDigits', split='train', indices=7, pipeline=PLAIN_PIPELINE)
    dataset = DATASETS.build(dict(type='RepeatDataset', times=2, dataset=inner))
    resident = read_all(dataset, CPU)
    batch = resident.__getitems__([3, 10])
    assert torch.equal(batch['inputs'][0], batch['inputs'][1])
    assert indices_of(batch['data_samples']).tolist() == [3, 3]


def test_another_pipeline_is_run_only_where_it_is_another(dataset, resident):
    other_keys = [dict(type='PackInputs', meta_keys=('sample_idx',))]
    assert resident.with_pipeline(other_keys) is resident
    larger = resident.with_pipeline([RESIZE, *PLAIN_PIPELINE])
    assert larger is not resident and larger[0]['inputs'].shape == (3, 12, 12)
    resized = read_all(larger, CPU)
    assert resized.with_pipeline([RESIZE, *PLAIN_PIPELINE]) is resized
    assert resized.with_pipeline([dict(RESIZE, scale=10), *PLAIN_PIPELINE])[0]['inputs'].shape == (3, 10, 10)


def test_transforms_that_may_change_an_image(dataset):
    assert changing_transforms(dataset) == []
    assert changing_transforms(DATASETS.build(noisy_digits(pipeline=[RESIZE, *PLAIN_PIPELINE]))) == []
    assert changing_transforms(DATASETS.build(noisy_digits(pipeline=[CROP, *PLAIN_PIPELINE]))) == ['RandomCrop']
    assert changing_transforms(DATASETS.build(noisy_digits())) == ['MultiView']
    parts = [dict(type='SklearnDigits', split=split, pipeline=PLAIN_PIPELINE) for split in ('train', 'test')]
    several = dict(type='NoisyLabelDataset', dataset=dict(type='ConcatDataset', datasets=parts))
    assert changing_transforms(DATASETS.build(several)) == ['several pipelines']


def folder_dataset(root, *, first_size=None, gone=False):
    """Images of one size in a folder, but for the first."""
    build_image_folder(root, size=10)
    first = min(root.rglob('*.png'))
    if first_size:
        Image.new('RGB', (first_size, first_size)).save(first)
    pipeline = [dict(type='LoadImageFromFile', ignore_empty=True), *PLAIN_PIPELINE]
    dataset = dict(type='CustomDataset', data_root=str(root), pipeline=pipeline)
    dataset = DATASETS.build(dict(type='NoisyLabelDataset', dataset=dataset))
    if gone:
        first.unlink()
    return dataset


def test_images_of_a_folder(tmp_path):
    dataset = folder_dataset(tmp_path)
    resident = read_all(dataset, CPU, num_workers=1)
    for i in range(len(dataset)):
        assert torch.equal(resident.images[i], dataset[i]['inputs'])
    assert resident.labels.tolist() == dataset.given_labels.tolist()


def test_refuses_what_it_cannot_deal(tmp_path):
    with pytest.raises(CannotKeepError, match=r'differ in shape \(\(3, 10, 10\) and \(3, 12, 12\)\)'):
        read_all(folder_dataset(tmp_path / 'uneven', first_size=12), CPU)
    with pytest.raises(CannotKeepError, match='the image of sample 0 cannot be read, and another takes its place'):
        read_all(folder_dataset(tmp_path / 'gone', gone=True), CPU)
    silent = [dict(type='PackInputs', meta_keys=())]
    with pytest.raises(CannotKeepError, match='no sample_idx'):
        read_all(DATASETS.build(noisy_digits(pipeline=silent)), CPU)


def test_a_batch_of_tensors_is_a_list_of_data_samples():
    batch = SampleBatch(torch.tensor([4, 2]), torch.tensor([7, 9]))
    assert [(int(sample.gt_label), sample.sample_idx) for sample in batch] == [(4, 7), (2, 9)]
    assert len(batch) == 2 and batch[1].sample_idx == 9
    assert repr(batch) == 'SampleBatch(2 samples on cpu)'


def test_the_sampler_may_be_any(dataset, resident):
    loader = DataLoader(dataset, batch_size=10, sampler=SequentialSampler(dataset), collate_fn=default_collate)
    batches = list(ResidentLoader(loader, resident))
    assert [len(batch['data_samples']) for batch in batches] == [10, 10, 10, 10, 1]
