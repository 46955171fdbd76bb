# SPDX-License-Identifier: Apache-2.0
import json
import logging
import pickle
import re

import numpy as np
import pytest
import torch
from data_builders import COARSE, build_cifar10, build_cifar100, build_image_folder, cifar_without_md5
from mmengine.dataset import BaseDataset, Compose, RepeatDataset
from mmengine.runner import Runner
from mmengine.utils import is_list_of
from mmpretrain.datasets import KFoldDataset
from mmpretrain.registry import DATASETS
from torch.utils.data import DataLoader
from toy import Stamp, ToyDataset

from tcl_plugin.datasets import NoisyLabelDataset, SymmetricNoise, label_source, noisy_label_dataset
from tcl_plugin.datasets.sidecar import digest

SYM = dict(type='SymmetricNoise', rate=0.8, seed=0)
TRUE = np.arange(100) % 4


def value(item):
    """The value that tells which image an item holds."""
    return int(item['img'][0, 0, 0])


def noisy(dataset=None, noise=SYM, **kwargs):
    return NoisyLabelDataset(ToyDataset() if dataset is None else dataset, noise=noise, **kwargs)


# What it does to the labels


def test_labels_are_those_of_the_generator():
    dataset = noisy()
    given = SymmetricNoise(0.8, seed=0)(TRUE, 4)
    assert dataset.given_labels.dtype == dataset.true_labels.dtype == np.int64
    assert np.array_equal(dataset.given_labels, given)
    assert np.array_equal(dataset.true_labels, TRUE)
    assert dataset.noise_rate == (given != TRUE).mean() > 0.4
    assert dataset.num_classes == 4


def test_data_info_has_given_and_true_label():
    dataset = noisy()
    for idx in range(100):
        info = dataset.get_data_info(idx)
        assert info['gt_label'] == dataset.given_labels[idx]
        assert info['clean_label'] == TRUE[idx]
        assert info['sample_idx'] == value(info) == idx
        assert {type(info[key]) for key in ('gt_label', 'clean_label', 'sample_idx')} == {int}


def test_given_label_is_there_before_the_pipeline_runs():
    dataset = noisy(ToyDataset(pipeline=[Stamp('inner')]))
    assert [dataset[i]['seen_label'] for i in range(100)] == dataset.given_labels.tolist()


def test_given_label_reaches_the_data_sample():
    pack = dict(type='PackInputs', meta_keys=('sample_idx', 'clean_label'))
    dataset = noisy(dict(type='ToyDataset', pipeline=[pack]))
    assert dataset.noise_rate > 0
    for idx in (0, 7, 99):
        item = dataset[idx]
        sample = item['data_samples']
        assert int(item['inputs'][0, 0, 0]) == sample.sample_idx == idx
        assert sample.gt_label.tolist() == [dataset.given_labels[idx]]
        assert sample.clean_label == TRUE[idx]


def test_labels_of_the_dataset_are_given_labels_of_unknown_truth():
    dataset = noisy(noise=None)
    assert np.array_equal(dataset.given_labels, TRUE)
    assert dataset.true_labels is None and dataset.noise_rate is None
    assert 'clean_label' not in dataset.get_data_info(0)
    assert 'true labels unknown' in repr(dataset)


def test_rate_zero_means_that_all_labels_are_known_to_be_right():
    dataset = noisy(noise=dict(type='SymmetricNoise', rate=0))
    assert dataset.noise_rate == 0
    assert dataset.get_data_info(5)['clean_label'] == TRUE[5]


def test_label_file(tmp_path):
    given = TRUE.copy()
    given[:10] = 3
    np.save(tmp_path / 'labels.npy', given)
    dataset = noisy(noise=None, label_file=str(tmp_path / 'labels.npy'))
    assert np.array_equal(dataset.given_labels, given)
    assert np.array_equal(dataset.true_labels, TRUE)
    assert dataset.noise_rate == pytest.approx(0.08)
    assert dataset.get_data_info(0) | {'img': 0} == dict(img=0, gt_label=3, clean_label=0, sample_idx=0)
    assert 'labels.npy' in repr(dataset)


def test_noise_may_be_any_callable():
    dataset = noisy(noise=lambda labels, num_classes: (labels + 1) % num_classes)
    assert np.array_equal(dataset.given_labels, (TRUE + 1) % 4)
    assert dataset.noise_rate == 1


@pytest.mark.parametrize('cifar', ['CIFAR10', 'CIFAR100'])
def test_cifar(tmp_path, cifar):
    build = build_cifar10 if cifar == 'CIFAR10' else build_cifar100
    config = dict(type=cifar, data_root=str(build(tmp_path)), download=False)
    with cifar_without_md5():
        dataset = noisy(config)
        clean = DATASETS.build(config)
        test = DATASETS.build(dict(split='test', **config))
    assert dataset.num_classes == int(cifar[5:])
    assert np.array_equal(dataset.true_labels, clean.get_gt_labels())
    assert np.array_equal(dataset[3]['img'], clean[3]['img'])
    assert len(clean) == (100 if cifar == 'CIFAR10' else 200)
    assert len(test) == (20 if cifar == 'CIFAR10' else 100)


# Wrappers inside


def test_concat_runs_the_pipeline_of_each_part():
    parts = [
        dict(type='ToyDataset', labels=(0, 1, 2), pipeline=[dict(type='Stamp', mark='A')]),
        dict(type='ToyDataset', labels=(3, 3), first=50, pipeline=[dict(type='Stamp', mark='B')]),
    ]
    dataset = noisy(dict(type='ConcatDataset', datasets=parts))
    items = [dataset[i] for i in range(5)]
    assert [item['mark'] for item in items] == list('AAABB')
    assert [value(item) for item in items] == [0, 1, 2, 50, 51]
    assert [item['sample_idx'] for item in items] == [0, 1, 2, 3, 4]
    assert [item['gt_label'] for item in items] == dataset.given_labels.tolist()
    assert dataset.true_labels.tolist() == [0, 1, 2, 3, 3]


class LateClasses(ToyDataset):
    """Finds its classes when it is read, as those of folders and tables do."""

    def __init__(self, late, **kwargs):
        self.late = late
        super().__init__(classes=None, lazy_init=True, serialize_data=False, **kwargs)

    def load_data_list(self):
        self._metainfo['classes'] = self.late
        return super().load_data_list()


def test_parts_that_find_other_classes_are_refused():
    def concat(*late, **kwargs):
        parts = [LateClasses(names, labels=(0, 1)) for names in late]
        return dict(type='ConcatDataset', datasets=parts, **kwargs)

    same = noisy(concat(('cat', 'dog'), ['cat', 'dog'], None))
    assert same.CLASSES == ('cat', 'dog') and len(same) == 6
    message = (
        "ConcatDataset has parts of different classes: class 0 is 'cat' in LateClasses and 'ant' in LateClasses: "
        "set classes of all parts to the same names, or ignore_keys='classes'"
    )
    for times in (0, 2):
        others = concat(('cat', 'dog'), ('ant', 'cat'))
        with pytest.raises(ValueError, match=message):
            noisy(dict(type='RepeatDataset', times=times, dataset=others) if times else others)
    with pytest.raises(ValueError, match="class 2 is missing in LateClasses and 'eel' in LateClasses"):
        noisy(concat(('cat', 'dog'), ('cat', 'dog', 'eel')))
    for keys in ('classes', ['x', 'classes']):
        assert noisy(concat(('cat', 'dog'), ('ant', 'cat'), ignore_keys=keys)).CLASSES == ('cat', 'dog')


def test_the_pipeline_can_be_switched():
    parts = [dict(type='ToyDataset', pipeline=[dict(type='Stamp', mark=mark)]) for mark in 'AB']
    single, several = noisy(parts[0]), noisy(dict(type='ConcatDataset', datasets=parts))
    view = single.with_pipeline([Stamp('view')])
    for dataset in (single, several):
        dataset.pipeline = Compose([Stamp('C')])
        assert {dataset[i]['mark'] for i in range(len(dataset))} == {'C'}
    assert view[0]['mark'] == 'view'
    view.pipeline = Compose([Stamp('D')])
    assert (view[0]['mark'], single[0]['mark']) == ('D', 'C')


def assert_copies_agree(dataset):
    """All copies of an image have one given label, and one that the distinct images got."""
    values = np.array([value(dataset[i]) for i in range(len(dataset))])
    given = SymmetricNoise(0.8, seed=0)(TRUE, 4)
    assert np.array_equal(dataset.given_labels, given[values])
    assert np.array_equal(dataset.true_labels, TRUE[values])
    assert [dataset[i]['sample_idx'] for i in range(len(dataset))] == list(range(len(dataset)))
    assert [dataset[i]['gt_label'] for i in range(len(dataset))] == given[values].tolist()
    assert dataset.noise_rate == (given[values] != TRUE[values]).mean()


def test_repeat():
    dataset = noisy(RepeatDataset(ToyDataset(), times=3))
    # Of 100 images, whichever are copied, the noise chooses 80, and a quarter of them stays right.
    assert 'expected 0.6000' in repr(noisy(RepeatDataset(ToyDataset(), times=3), held_out=0.33))
    assert len(dataset) == 300
    assert_copies_agree(dataset)


def test_same_dataset_twice_in_a_concat():
    toy = ToyDataset()
    dataset = noisy(dict(type='ConcatDataset', datasets=[toy, toy]))
    assert len(dataset) == 200
    assert_copies_agree(dataset)


def test_nested_wrappers():
    toy = dict(type='ToyDataset')
    repeat = dict(type='RepeatDataset', dataset=toy, times=2)
    dataset = noisy(dict(type='ConcatDataset', datasets=[repeat, dict(toy, labels=(1,), first=9)]))
    inner = dataset.dataset
    assert len(dataset) == 201
    for idx in (0, 99, 100, 199, 200):
        assert value(dataset[idx]) == value(inner[idx])
    assert np.array_equal(dataset.given_labels[:100], dataset.given_labels[100:200])


def test_class_balanced():
    labels = (0,) * 80 + (1,) * 10 + (2,) * 5 + (3,) * 5
    inner = dict(type='ToyDataset', labels=labels)
    dataset = noisy(dict(type='ClassBalancedDataset', dataset=inner, oversample_thr=0.2))
    values = np.array([value(dataset[i]) for i in range(len(dataset))])
    assert len(dataset) > 100 and set(values) == set(range(100))
    assert np.array_equal(dataset.true_labels, np.array(labels)[values])
    expected = SymmetricNoise(0.8, seed=0)(np.array(labels), 4)
    assert np.array_equal(dataset.given_labels, expected[values])


FOLD = dict(type='KFoldDataset', num_splits=5, seed=3)


@pytest.mark.parametrize('kind', ['KFoldDataset', 'mmpretrain.KFoldDataset', KFoldDataset])
@pytest.mark.parametrize('test_mode', [False, True])
@pytest.mark.parametrize('fold', [0, 1, 4])
def test_k_fold(fold, test_mode, kind):
    """An image has the same label in all folds, on either side: that which it has without them."""
    config = dict(FOLD, type=kind, fold=fold, test_mode=test_mode)
    dataset = noisy(dict(config, dataset=dict(type='ToyDataset', serialize_data=False)))
    values = [value(dataset[i]) for i in range(len(dataset))]
    assert len(set(values)) == len(values) == len(dataset) == (20 if test_mode else 80)
    assert values == dataset.dataset._ori_indices == dataset.image_index.tolist()
    assert_copies_agree(dataset)
    assert config['type'] is kind


def test_k_fold_between_other_wrappers():
    """Its images are those of the whole data set, whatever is round it, read before or not."""
    fold = dict(FOLD, fold=2, dataset=dict(type='ToyDataset', serialize_data=False, lazy_init=True))
    balanced = dict(type='ClassBalancedDataset', oversample_thr=0.2, dataset=fold)
    dataset = noisy(dict(type='RepeatDataset', times=2, dataset=balanced))
    assert len(dataset) == 160
    assert_copies_agree(pickle.loads(pickle.dumps(dataset)))
    whole = dict(type='ToyDataset', serialize_data=False)
    both = noisy(dict(type='ConcatDataset', datasets=[fold, whole], ignore_keys=['classes']))
    assert len(both) == 180 and len(both.image_labels[0]) == 200


def test_k_fold_reads_labels_of_all_images(tmp_path):
    np.save(tmp_path / 'labels.npy', (TRUE + 1) % 4)
    config = dict(FOLD, dataset=dict(type='ToyDataset', serialize_data=False))
    dataset = noisy(config, noise=None, label_file=tmp_path / 'labels.npy')
    assert np.array_equal(dataset.given_labels, (dataset.true_labels + 1) % 4)
    others = dict(type='ToyDataset', labels=(0,) * 60, first=120, classes='x', serialize_data=False)
    open_set = dict(type='OpenSetNoise', rate=0.2, dataset=others)
    parts = [noisy(dict(config, test_mode=mode), open_set=open_set, held_out=0.1) for mode in (False, True)]
    alone = noisy(ToyDataset(serialize_data=False), open_set=open_set, held_out=0.1)
    images = {int(image): value(part[i]) for part in parts for i, image in enumerate(part.image_index)}
    assert images == {int(image): value(alone[i]) for i, image in enumerate(alone.image_index)}


def test_a_built_k_fold_knows_its_fold_alone():
    built = KFoldDataset(dict(type='ToyDataset', serialize_data=False), fold=1)
    dataset = noisy(built)
    assert np.array_equal(dataset.given_labels, SymmetricNoise(0.8, seed=0)(dataset.true_labels, 4))


def test_wrapper_of_a_third_party():
    class Backwards:
        """Follows mmengine's contract of a wrapper, and no more."""

        def __init__(self, dataset):
            self.dataset, self.metainfo = dataset, dataset.metainfo

        def full_init(self):
            self.dataset.full_init()

        def __len__(self):
            return len(self.dataset)

        def _get_ori_dataset_idx(self, idx):
            return len(self.dataset) - 1 - idx

    dataset = noisy(Backwards(ToyDataset()))
    assert value(dataset[0]) == 99
    assert_copies_agree(dataset)


def test_label_file_has_one_label_for_each_distinct_image(tmp_path):
    np.save(tmp_path / 'labels.npy', (TRUE + 1) % 4)
    dataset = noisy(RepeatDataset(ToyDataset(), times=2), noise=None, label_file=tmp_path / 'labels.npy')
    assert np.array_equal(dataset.given_labels, np.tile((TRUE + 1) % 4, 2))
    np.save(tmp_path / 'labels.npy', np.tile(TRUE, 2))
    with pytest.raises(ValueError, match=r'labels.npy: has 200 labels, expected 100'):
        noisy(RepeatDataset(ToyDataset(), 2), noise=None, label_file=tmp_path / 'labels.npy')


# Reading items


def test_training_item_that_fails_is_replaced_by_another_with_its_own_label():
    dropped = list(range(50))
    dataset = noisy(ToyDataset(pipeline=[dict(type='DropIf', values=dropped), Stamp('')]))
    np.random.seed(0)
    items = [dataset[i] for i in range(100)]
    assert all(value(item) >= 50 for item in items)
    assert len({value(item) for item in items[:50]}) > 10
    assert all(item['gt_label'] == dataset.given_labels[value(item)] for item in items)
    assert all(item['sample_idx'] == value(item) for item in items)
    assert [value(item) for item in items[50:]] == list(range(50, 100))


def test_replacement_runs_the_pipeline_of_its_own_part():
    drop = dict(type='DropIf', values=[0, 1, 2])
    parts = [
        ToyDataset(labels=(0, 1, 2), pipeline=[drop, Stamp('A')]),
        ToyDataset(labels=(3, 3, 3), first=50, pipeline=[Stamp('B')]),
    ]
    dataset = noisy(dict(type='ConcatDataset', datasets=parts))
    assert [dataset[i]['mark'] for i in range(6)] == ['B'] * 6


def test_replacement_ends():
    drop_all = dict(type='DropIf', values=list(range(100)))
    dataset = noisy(ToyDataset(pipeline=[drop_all], max_refetch=4))
    with pytest.raises(RuntimeError, match='None for sample 7 and 4 others'):
        dataset[7]


def test_test_mode_raises():
    dataset = noisy(ToyDataset(pipeline=[dict(type='DropIf', values=[3])], test_mode=True))
    assert value(dataset[2]) == 2
    with pytest.raises(RuntimeError, match='None for sample 3'):
        dataset[3]


def test_with_pipeline():
    dataset = noisy(ToyDataset(pipeline=[Stamp('train')]))
    view = dataset.with_pipeline([dict(type='DropIf', values=[3]), Stamp('test')])
    assert [dataset[i]['mark'] for i in (0, 3)] == ['train', 'train']
    assert view[0]['mark'] == 'test' and view[0]['seen_label'] == dataset.given_labels[0]
    assert np.shares_memory(view.given_labels, dataset.given_labels)
    assert view.dataset is dataset.dataset and len(view) == 100
    with pytest.raises(RuntimeError, match='None for sample 3'):
        view[3]
    assert 'img' in dataset.with_pipeline([])[0]
    with pytest.raises(RuntimeError, match='sample 0'):
        dataset.with_pipeline([lambda results: None])[0]


def test_with_pipeline_replaces_the_pipelines_of_all_parts():
    parts = [ToyDataset(pipeline=[Stamp('A')]), ToyDataset(pipeline=[Stamp('B')])]
    view = noisy(dict(type='ConcatDataset', datasets=parts)).with_pipeline([Stamp('C')])
    assert {view[i]['mark'] for i in range(len(view))} == {'C'}


def test_unreadable_image_raises_in_a_view(tmp_path):
    root = build_image_folder(tmp_path)
    load = dict(type='LoadImageFromFile', ignore_empty=True)
    dataset = noisy(dict(type='CustomDataset', data_root=str(root), pipeline=[load]))
    (root / 'class_0' / '000.png').write_bytes(b'')
    assert dataset[0]['img'].shape == (16, 16, 3)
    with pytest.raises(RuntimeError, match='None for sample 0'):
        dataset.with_pipeline([load])[0]


def test_image_paths(tmp_path):
    root = build_image_folder(tmp_path, num_classes=4, images_per_class=2)
    folder = dict(type='CustomDataset', data_root=str(root))
    dataset = noisy(folder)
    assert dataset.num_classes == 4 and dataset.CLASSES == (
        'class_0',
        'class_1',
        'class_2',
        'class_3',
    )
    expected = [str(root / f'class_{i // 2}' / f'{i:03d}.png') for i in range(8)]
    assert dataset.img_paths == expected
    # Read lazily, so that the wrapper between does not know the classes that the folder has.
    lazy = dict(folder, lazy_init=True)
    repeated = noisy(dict(type='RepeatDataset', dataset=lazy, times=2, lazy_init=True))
    assert repeated.CLASSES == dataset.CLASSES
    assert repeated.img_paths == expected * 2
    assert noisy().img_paths is None


def test_images_with_and_without_files(tmp_path):
    root = build_image_folder(tmp_path, num_classes=1, images_per_class=1)
    folder = dict(type='CustomDataset', data_root=str(root), metainfo=dict(classes=['class_0']))
    toy = dict(type='ToyDataset', labels=(0, 0), classes=['class_0'])
    concat = dict(type='ConcatDataset', datasets=[toy, folder], ignore_keys='classes')
    dataset = noisy(concat)
    assert dataset.img_paths == [None, None, str(root / 'class_0' / '000.png')]


# The contract of a wrapper


def test_pickle_keeps_all_and_stays_read_only():
    dataset = pickle.loads(pickle.dumps(noisy(RepeatDataset(ToyDataset(), 2))))
    assert_copies_agree(dataset)
    for labels in (dataset.given_labels, dataset.true_labels, dataset.get_gt_labels()):
        with pytest.raises(ValueError, match='read-only'):
            labels[0] = 1
    # Identity of the leaf survives, so a worker does not hold the images twice.
    assert dataset._table.leaves[0] is dataset.dataset.dataset


def take_labels(items):
    return torch.tensor([[i['sample_idx'], value(i), i['gt_label']] for i in items])


def test_workers():
    dataset = noisy(RepeatDataset(ToyDataset(), 2)).with_pipeline([])
    loader = DataLoader(dataset, batch_size=16, num_workers=2, collate_fn=take_labels)
    rows = torch.cat(list(loader)).numpy()
    assert np.array_equal(rows[:, 0], np.arange(200))
    assert np.array_equal(rows[:, 1], np.arange(200) % 100)
    assert np.array_equal(rows[:, 2], dataset.given_labels)


def test_runner_builds_a_loader():
    dataset = dict(type='ToyDataset', pipeline=[dict(type='PackInputs')])
    config = dict(
        dataset=dict(type='NoisyLabelDataset', dataset=dataset, noise=SYM, lazy_init=True),
        batch_size=50,
        num_workers=0,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    loader = Runner.build_dataloader(config)
    samples = [sample for batch in loader for sample in batch['data_samples']]
    assert [sample.sample_idx for sample in samples] == list(range(100))
    assert [int(s.gt_label) for s in samples] == loader.dataset.given_labels.tolist()


def test_metainfo_and_classes():
    dataset = noisy()
    dataset.metainfo['classes'] = 'changed'
    assert dataset.metainfo['classes'] == dataset.CLASSES == ('a', 'b', 'c', 'd')
    assert dataset.class_to_idx == dict(a=0, b=1, c=2, d=3)


def test_categories_and_labels_are_the_given_ones():
    dataset = noisy()
    assert [dataset.get_cat_ids(i) for i in range(100)] == [[g] for g in dataset.given_labels]
    assert is_list_of(dataset.get_cat_ids(0), int)
    assert np.array_equal(dataset.get_gt_labels(), dataset.given_labels)


def test_indices():
    dataset = noisy()
    assert dataset[-1]['sample_idx'] == dataset.get_data_info(-1)['sample_idx'] == 99
    assert value(dataset[np.int64(5)]) == 5
    for idx in (100, -101):
        with pytest.raises(IndexError, match=f'{idx} is out of range for 100'):
            dataset[idx]
    assert len(list(dataset)) == 100  # iteration ends by IndexError


def test_lazy_init_reads_nothing_until_it_is_needed():
    class Unread(ToyDataset):
        reads = 0

        def load_data_list(self):
            Unread.reads += 1
            return super().load_data_list()

    dataset = noisy(Unread(lazy_init=True), lazy_init=True)
    assert dataset.metainfo['classes'] == ('a', 'b', 'c', 'd')
    assert 'not initialised' in repr(dataset) and 'SymmetricNoise' in repr(dataset)
    assert Unread.reads == 0
    assert value(dataset[1]) == 1
    dataset.full_init()
    assert Unread.reads == 1
    for name in ('given_labels', 'true_labels', 'noise_rate', 'num_classes'):
        assert getattr(noisy(lazy_init=True), name) is not None
    assert len(noisy(lazy_init=True)) == 100


def test_subsets_are_refused():
    for method in ('get_subset', 'get_subset_'):
        with pytest.raises(NotImplementedError, match='`indices`'):
            getattr(noisy(), method)(10)
    assert len(noisy(ToyDataset(indices=10))) == 10


def test_repr_and_log_tell_the_measured_rate(monkeypatch):
    lines = []
    monkeypatch.setattr(noisy_label_dataset, 'print_log', lambda text, **_: lines.append(text))
    dataset = noisy()
    dataset.full_init()
    dataset.with_pipeline([])
    assert len(lines) == 1 and '\n' not in lines[0]
    kind = 'SymmetricNoise(rate=0.8, seed=0)'
    rates = 'nominal noise rate 0.8000, expected 0.6000'
    measured = f'measured noise rate {dataset.noise_rate:.4f}, N=100, K=4'
    assert lines[0] == f'NoisyLabelDataset: {kind}, {rates}, {measured}'
    assert kind in repr(dataset) and measured in repr(dataset) and 'ToyDataset' in repr(dataset)


def test_only_the_main_process_logs(monkeypatch):
    lines = []
    monkeypatch.setattr(noisy_label_dataset, 'print_log', lambda text, **_: lines.append(text))
    monkeypatch.setattr(noisy_label_dataset, 'is_main_process', lambda: False)
    noisy()
    assert lines == []


# Refusals


def test_a_label_file_that_agrees_by_chance_alone_is_doubted(tmp_path, monkeypatch):
    """A vector without a sidecar may be in another order; a warning, since labels as wrong as that may be meant."""
    lines = []
    monkeypatch.setattr(label_source, 'print_log', lambda text, **kwargs: lines.append((text, kwargs)))
    path = tmp_path / 'labels.npy'
    rng = np.random.RandomState(0)
    sym = SymmetricNoise(0.6, seed=0)(TRUE, 4)
    for labels, doubted in ((rng.permutation(TRUE), True), (TRUE // 2 * 2, False), (sym, False), (TRUE, False)):
        lines.clear()
        np.save(path, labels)
        noisy(noise=None, label_file=path)
        warned = [text for text, kwargs in lines if kwargs.get('level') == logging.WARNING]
        assert bool(warned) == doubted, (labels, warned)
    np.save(path, rng.permutation(TRUE))
    # A sidecar says that it is for these true labels.
    content = dict(true_labels_sha256=digest(TRUE), given_labels_sha256=digest(np.load(path)))
    (tmp_path / 'labels.npy.json').write_text(json.dumps(content))
    lines.clear()
    noisy(noise=None, label_file=path)
    assert lines == []


def test_cifar100_by_superclasses(tmp_path):
    build_cifar100(tmp_path)
    with cifar_without_md5():
        fine, coarse = (
            DATASETS.build(dict(type=f'mmpretrain.{kind}', data_root=str(tmp_path), download=False))
            for kind in ('CIFAR100', 'CIFAR100Coarse')
        )
    labels = coarse.get_gt_labels()
    assert len(coarse.CLASSES) == 20 and (coarse.CLASSES[0], coarse.CLASSES[14]) == ('aquatic_mammals', 'people')
    assert labels.tolist() == COARSE[fine.get_gt_labels()].tolist() and set(labels) == set(range(20))
    assert (coarse.get_data_info(7)['img'] == fine.get_data_info(7)['img']).all()


def test_noise_and_label_file_at_once():
    with pytest.raises(ValueError, match=r'not both.*SymmetricNoise.*a.npy'):
        noisy(label_file='a.npy')


@pytest.mark.parametrize('dataset', [noisy(), 5, [1, 2]], ids=['nested', 'number', 'list'])
def test_not_a_dataset(dataset):
    with pytest.raises(TypeError, match=f'got {type(dataset).__name__}'):
        noisy(dataset)


@pytest.mark.parametrize(('label', 'index'), [(4, 2), (-1, 0)])
def test_label_outside_the_classes(label, index):
    labels = [0, 1, 2]
    labels[index] = label
    message = rf'ToyDataset: label {label} at index {index} is outside 0\.\.3'
    with pytest.raises(ValueError, match=message):
        noisy(ToyDataset(labels=labels))


@pytest.mark.parametrize(
    ('label', 'error', 'message'),
    [
        ([0, 2], TypeError, r'ToyDataset: \[0, 2\] at index 1 .*multi-label'),
        ([2], TypeError, r'\[2\] at index 1'),
        (np.array([1, 0]), TypeError, 'index 1 .*multi-label'),
        (1.0, TypeError, '1.0 at index 1 is no integer'),
        ('cat', TypeError, "'cat' at index 1"),
        (True, TypeError, 'True at index 1'),
        (None, ValueError, 'index 1 has no gt_label'),
    ],
)
def test_not_one_label(label, error, message):
    with pytest.raises(error, match=message):
        noisy(ToyDataset(labels=[0, label, 2]))


def test_labels_in_other_integer_types():
    labels = [np.array(1), np.int32(2), torch.tensor(3), np.uint8(0)]
    assert noisy(ToyDataset(labels=labels)).true_labels.tolist() == [1, 2, 3, 0]


def test_number_of_classes():
    assert noisy(ToyDataset(classes=None), num_classes=5).num_classes == 5
    assert noisy(num_classes=4).num_classes == 4
    with pytest.raises(ValueError, match='num_classes=5, but ToyDataset has 4 classes'):
        noisy(num_classes=5)
    with pytest.raises(ValueError, match='ToyDataset does not name its classes'):
        noisy(ToyDataset(classes=None))


@pytest.mark.parametrize(
    ('made', 'error', 'message'),
    [
        (np.zeros(99, dtype=int), ValueError, r'\(99,\), not \(100,\)'),
        (np.full(100, 4), ValueError, r'label 4 at index 0 is outside 0\.\.3'),
        (np.zeros(100), TypeError, 'float64'),
    ],
)
def test_generator_that_makes_bad_labels(made, error, message):
    with pytest.raises(error, match=message):
        noisy(noise=lambda labels, num_classes: made)


def test_bad_label_file_is_named(tmp_path):
    np.save(tmp_path / 'a.npy', np.zeros(7, dtype=int))
    with pytest.raises(ValueError, match=re.escape(f'{tmp_path}/a.npy: has 7 labels')):
        noisy(noise=None, label_file=str(tmp_path / 'a.npy'))


def test_plain_mmengine_dataset_is_enough():
    class Plain(BaseDataset):
        METAINFO = dict(classes=('a', 'b'))

        def load_data_list(self):
            return [dict(img=np.zeros((1, 1, 3)), gt_label=i % 2) for i in range(6)]

    assert noisy(Plain()).true_labels.tolist() == [0, 1, 0, 1, 0, 1]
