# SPDX-License-Identifier: Apache-2.0
"""Images of another dataset come in under the labels of those that they replace, and every reader copes."""

import json
import pickle
import re

import numpy as np
import pytest
import torch
from data_builders import build_cifar10, build_cifar100, build_image_folder, cifar_without_md5
from mmengine.dataset import RepeatDataset
from mmpretrain.registry import DATASETS
from toy import Stamp, ToyDataset

from tcl_plugin.datasets import NoisyLabelDataset, OpenSetNoise, SymmetricNoise, read_label_file
from tcl_plugin.datasets.label_files import read_open_noise
from tcl_plugin.datasets.resident import changing_transforms, read_all
from tcl_plugin.reports.audit import write_label_lists

TRUE = np.arange(100) % 4
SYM = dict(type='SymmetricNoise', rate=0.3, seed=0)
# Images of the inner dataset have the values 0..99, those of the other 120..179.
# Not serialised, as mmengine collects garbage each time that it does it.
OTHER = dict(type='ToyDataset', labels=(0,) * 60, first=120, classes='x', serialize_data=False)
OPEN = dict(type='OpenSetNoise', rate=0.2, dataset=OTHER, seed=0)
PACK = [dict(type='PackInputs')]


def value(item):
    return int(item['img'][0, 0, 0])


def noisy(dataset=None, noise=SYM, open_set=OPEN, **kwargs):
    return NoisyLabelDataset(dataset or ToyDataset(serialize_data=False), noise=noise, open_set=open_set, **kwargs)


def ssr_file(path, open_noise, labels=TRUE, **more):
    path.write_text(json.dumps(dict(noise_labels=np.asarray(labels).tolist(), open_noise=open_noise, **more)))
    return str(path)


# What is replaced


def test_images_are_replaced_and_labels_stay():
    dataset = noisy()
    pairs = dict(dataset.open_noise.tolist())
    assert len(pairs) == len(set(pairs.values())) == 20 and sorted(pairs) != list(pairs)
    closed = SymmetricNoise(0.3)(TRUE, 4)
    for idx in range(100):
        info = dataset.get_data_info(idx)
        assert info['gt_label'] == dataset.given_labels[idx] == closed[idx]
        assert info['sample_idx'] == idx
        assert value(info) == (120 + pairs[idx] if idx in pairs else idx)
        assert info['clean_label'] == dataset.true_labels[idx] == (-1 if idx in pairs else TRUE[idx])
        assert {type(info[key]) for key in ('gt_label', 'clean_label', 'sample_idx')} == {int}
    # Only those are chosen whose label the closed-set noise left as it was.
    assert (closed[list(pairs)] == TRUE[list(pairs)]).all()
    assert dataset.noise_rate == (closed != TRUE).mean() + 0.2
    assert dataset.image_labels[0].tolist() == TRUE.tolist()


def test_stream_is_frozen():
    """The same seed must choose these on every machine, for good."""
    found = OpenSetNoise(dataset=OTHER, rate=0.05, seed=3)
    found.full_init()
    assert found.replacements(TRUE, TRUE).tolist() == FROZEN
    wrong = np.where(TRUE == 0, 1, TRUE)
    assert (TRUE[found.replacements(TRUE, wrong)[:, 0]] != 0).all()


FROZEN = [[29, 52], [94, 9], [87, 15], [62, 8], [59, 51]]


class Blank(ToyDataset):
    """Any number of images."""

    def load_data_list(self):
        return [dict(img=np.zeros((2, 2, 3), dtype=np.uint8), gt_label=label) for label in self.labels]


def test_choice_is_not_that_of_the_closed_set_noise():
    """With one seed for both, all is as if streams were independent: rates of the classes agree, for instance."""
    labels = np.arange(50_000) % 10
    noise = OpenSetNoise(dataset=Blank(labels=(0,) * 20_000, classes='x', serialize_data=False), rate=0.3)
    noise.full_init()
    chosen = np.zeros(50_000, dtype=bool)
    chosen[noise.replacements(labels, SymmetricNoise(0.3)(labels, 10))[:, 0]] = True
    right = SymmetricNoise(0.3)(labels, 10) == labels
    halves = [chosen[half & right].mean() for half in (np.arange(50_000) < 25_000, np.arange(50_000) >= 25_000)]
    assert halves == pytest.approx([0.3 / 0.73] * 2, abs=0.01)
    assert np.bincount(labels[chosen]) == pytest.approx(np.full(10, 1500), abs=150)


def test_repr_tells_both_kinds():
    dataset = noisy(noise=dict(type='AsymmetricNoise', rate=0.5, mapping=[[0, 1]]))
    assert (
        'AsymmetricNoise(rate=0.5, mapping={0: 1}, seed=0) and OpenSetNoise(dataset=ToyDataset, rate=0.2, seed=0), '
        f'which replaces 20 images, nominal noise rate 0.5000, expected 0.3250, measured noise rate '
        f'{dataset.noise_rate:.4f}, N=100, K=4'
    ) in repr(dataset)


def test_open_set_alone():
    dataset = noisy(noise=None)
    assert dataset.given_labels.tolist() == TRUE.tolist()
    assert dataset.noise_rate == 0.2 and (dataset.true_labels == -1).sum() == 20
    assert 'labels of the dataset and OpenSetNoise' in repr(dataset) and 'expected 0.2000' in repr(dataset)


def test_without_it_nothing_is_replaced():
    dataset = noisy(open_set=None)
    assert dataset.open_noise.shape == (0, 2) and (dataset.true_labels == TRUE).all()
    assert (noisy(open_set=dict(OPEN, rate=0)).true_labels == TRUE).all()


def test_instance_dependent_noise_sees_the_former_images():
    noise = dict(type='InstanceDependentNoise', rate=0.4)
    assert (noisy(noise=noise).given_labels == noisy(noise=noise, open_set=None).given_labels).all()


# Reading items


def test_wrappers_and_copies():
    dataset = noisy(RepeatDataset(ToyDataset(serialize_data=False), 3))
    once = noisy()
    assert [value(dataset[i]) for i in range(300)] == [value(once[i]) for i in range(100)] * 3
    assert dataset.true_labels.tolist() == once.true_labels.tolist() * 3
    assert dataset.noise_rate == once.noise_rate
    both = RepeatDataset(ToyDataset(labels=(0,) * 30, first=120, classes='x'), 2)
    repeated = noisy(open_set=OpenSetNoise(both, rate=0.2))
    replaced = repeated.open_noise
    assert [value(repeated[i]) for i in replaced[:, 0]] == [120 + s % 30 for s in replaced[:, 1]]


def test_pipelines_follow_one_another():
    other = dict(OTHER, pipeline=[Stamp('other'), lambda info: {**info, 'first': info['mark']}])
    dataset = noisy(ToyDataset(pipeline=[Stamp('inner')]), open_set=dict(OPEN, dataset=other))
    replaced = dataset.open_noise[:, 0]
    assert {dataset[i]['mark'] for i in range(100)} == {'inner'}
    assert [i for i in range(100) if dataset[i].get('first') == 'other'] == sorted(replaced)
    assert [dataset[i]['seen_label'] for i in replaced] == dataset.given_labels[replaced].tolist()
    view = dataset.with_pipeline([Stamp('view')])
    assert {view[i]['mark'] for i in range(100)} == {'view'}
    assert [value(view[i]) for i in range(100)] == [value(dataset[i]) for i in range(100)]


def test_other_image_that_fails():
    drop = dict(OTHER, pipeline=[lambda info: None if info['img'].max() > 120 else info])
    dataset = noisy(open_set=dict(OPEN, dataset=drop))
    target = next(int(here) for here, there in dataset.open_noise if there > 0)
    with pytest.raises(RuntimeError, match=r'pipeline of ToyDataset returned None for open-set image \d+'):
        dataset[target]


def test_pickle():
    dataset, copy = noisy(), pickle.loads(pickle.dumps(noisy()))
    assert [value(copy[i]) for i in range(100)] == [value(dataset[i]) for i in range(100)]
    with pytest.raises(ValueError, match='read-only'):
        copy.open_noise[0] = 1


def test_digest_of_what_is_replaced():
    """Which images, by which, and of which data set; with none the digest that all have without open-set noise."""
    nothing = noisy(open_set=None).replaced_digest
    assert nothing == noisy(ToyDataset(labels=(0, 1)), open_set=None).replaced_digest
    assert nothing == noisy(open_set=dict(OPEN, rate=0)).replaced_digest
    other_labels, no_labels = dict(OTHER, labels=(1,) * 60), dict(OTHER, labels=('a',) * 60)
    changes = [{}, dict(seed=1), dict(rate=0.1), dict(dataset=other_labels), dict(dataset=no_labels)]
    digests = [noisy(open_set=OPEN | change).replaced_digest for change in changes]
    assert len({*digests, nothing}) == 6
    dataset = noisy(held_out=0.5)
    assert dataset.replaced_digest != dataset.held_out_part().replaced_digest != nothing
    assert digests[0] == noisy().with_pipeline(PACK).replaced_digest


def test_resident():
    dataset = noisy(dict(type='ToyDataset', pipeline=PACK))
    resident = read_all(dataset, torch.device('cpu'))
    assert resident.images[:, 0, 0, 0].tolist() == [int(dataset[i]['inputs'][0, 0, 0]) for i in range(100)]
    assert (resident.images >= 120).any() and (resident.true_labels == dataset.true_labels).all()
    assert changing_transforms(dataset) == []
    flip = dict(OTHER, pipeline=[dict(type='RandomFlip', prob=0.5)])
    assert changing_transforms(noisy(open_set=dict(OPEN, dataset=flip))) == ['RandomFlip']
    several = dict(type='ConcatDataset', datasets=[OTHER, OTHER])
    assert changing_transforms(noisy(open_set=dict(OPEN, dataset=several))) == [
        'several pipelines of open_set.dataset'
    ]


def test_cifar(tmp_path):
    ours = dict(type='CIFAR10', data_root=str(build_cifar10(tmp_path / 'a')), download=False, pipeline=PACK)
    theirs = dict(type='CIFAR100', data_root=str(build_cifar100(tmp_path / 'b')), download=False)
    with cifar_without_md5():
        dataset = noisy(ours, open_set=dict(OPEN, dataset=theirs))
        other = DATASETS.build(theirs)
    here, there = dataset.open_noise[0]
    item = dataset[int(here)]
    assert (item['inputs'].permute(1, 2, 0).numpy() == other[int(there)]['img']).all()
    assert item['data_samples'].gt_label.item() == dataset.given_labels[here] and dataset.num_classes == 10


def test_files_of_two_folders(tmp_path):
    load = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    ours = dict(type='CustomDataset', data_root=str(build_image_folder(tmp_path / 'a')), pipeline=load)
    theirs = dict(type='CustomDataset', data_root=str(build_image_folder(tmp_path / 'b', num_classes=1)))
    dataset = noisy(ours, open_set=dict(OPEN, dataset=theirs))
    assert len(dataset.open_noise)
    for idx, path in enumerate(dataset.img_paths):
        replaced = idx in dataset.open_noise[:, 0]
        assert path.startswith(str(tmp_path / ('b' if replaced else 'a')))
        assert dataset[idx]['data_samples'].img_path == path


# Label files


def test_ssr_file(tmp_path):
    path = ssr_file(
        tmp_path / 'a.json', [[5, 59], [7, 0]], labels=(TRUE + (np.arange(100) == 9)) % 4, closed_noise=[9]
    )
    dataset = noisy(noise=None, label_file=path, open_set=dict(type='OpenSetNoise', dataset=OTHER))
    assert dataset.open_noise.tolist() == [[5, 59], [7, 0]]
    assert [value(dataset[i]) for i in (4, 5, 6, 7)] == [4, 179, 6, 120]
    assert [dataset[i]['gt_label'] for i in (5, 7)] == [1, 3] and dataset.noise_rate == 0.03
    assert 'OpenSetNoise(dataset=ToyDataset), which replaces 2 images, measured noise rate 0.0300' in repr(dataset)


def test_drawn_beside_a_label_file(tmp_path):
    np.save(tmp_path / 'a.npy', np.where(np.arange(100) < 50, (TRUE + 1) % 4, TRUE))
    dataset = noisy(noise=None, label_file=str(tmp_path / 'a.npy'))
    assert dataset.open_noise[:, 0].min() >= 50 and dataset.noise_rate == pytest.approx(0.7)


def test_file_and_rate(tmp_path):
    path = ssr_file(tmp_path / 'a.json', [[5, 59]])
    with pytest.raises(ValueError, match=r'a\.json names the images to replace: leave out rate of OpenSetNoise\('):
        noisy(noise=None, label_file=path)
    path = ssr_file(tmp_path / 'b.json', [])
    with pytest.raises(ValueError, match=r'OpenSetNoise\(.*\) needs a rate, since label file .*b\.json has no open_n'):
        noisy(noise=None, label_file=path, open_set=dict(type='OpenSetNoise', dataset=OTHER))
    with pytest.raises(ValueError, match=r'OpenSetNoise\(dataset=ToyDataset\) needs a rate$'):
        noisy(open_set=dict(type='OpenSetNoise', dataset=OTHER))
    path = ssr_file(tmp_path / 'c.json', [[5, 59]])
    with pytest.raises(
        ValueError, match=r"replaces images, too \(1 of them\): set open_set=dict\(type='OpenSetNoise'"
    ):
        noisy(noise=None, label_file=path, open_set=None)
    assert read_label_file(path, 100, 4, open_set=True).tolist() == TRUE.tolist()


@pytest.mark.parametrize(
    ('pairs', 'error', 'message'),
    [
        ([[100, 0]], ValueError, 'open_noise names image 100 of this dataset, which has 100'),
        ([[0, 1], [1, 60]], ValueError, 'open_noise names image 60 of open_set.dataset, which has 60'),
        ([[0, 1], [0, 2]], ValueError, 'open_noise replaces image 0 more than once'),
        ([[0, 1], [1]], ValueError, 'open_noise must be pairs of indices'),
        ([1, 2], ValueError, r'open_noise must be pairs of indices, got shape \(2,\)'),
        (5, ValueError, r'open_noise must be pairs of indices, got shape \(1,\)'),
        ('ab', ValueError, r'open_noise must be pairs of indices, got shape \(1,\)'),
        ([[0, 1.5]], TypeError, 'must be pairs of integers, got float64'),
    ],
)
def test_bad_pairs(tmp_path, pairs, error, message):
    path = ssr_file(tmp_path / 'a.json', pairs)
    with pytest.raises(error, match=rf'label file {re.escape(path)}.*{message}'):
        read_open_noise(path, 100, 60)


@pytest.mark.parametrize('open_noise', [None, []])
def test_no_pairs(tmp_path, open_noise):
    path = ssr_file(tmp_path / 'a.json', open_noise)
    assert read_open_noise(path, 100, 60) is None
    assert read_label_file(path, 100, 4).tolist() == TRUE.tolist()


# Refusals


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(rate=0.9), r'replaces 90 images whose label is right, but closed-set noise leaves 7\d'),
        (dict(rate=0.7), r'needs 70 images, but ToyDataset has 60'),
        (dict(rate=1.5), r'noise rate must be in \[0, 1\], got 1.5'),
        (dict(seed=-1), 'seed of the noise'),
    ],
)
def test_choices_that_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        noisy(open_set=dict(OPEN, **changes))


def test_images_that_do_not_fit(tmp_path):
    folder = dict(type='CustomDataset', data_root=str(build_image_folder(tmp_path, images_per_class=10)))
    with pytest.raises(
        ValueError, match=r'images of ToyDataset are in img, but those of .* \(CustomDataset\) are not'
    ):
        noisy(open_set=dict(OPEN, dataset=folder))
    with pytest.raises(ValueError, match=r'images of CustomDataset are in img_path, but those .* \(ToyDataset\) are'):
        noisy(folder)
    digits = dict(type='SklearnDigits', serialize_data=False)
    with pytest.raises(
        ValueError, match=r'ToyDataset have shape \(2, 2, 3\), .* \(SklearnDigits\) \(8, 8, 3\): resize'
    ):
        noisy(open_set=dict(OPEN, dataset=digits))
    digits['pipeline'] = [dict(type='Resize', scale=2)]
    assert noisy(open_set=dict(OPEN, dataset=digits))[0]['img'].shape == (2, 2, 3)
    folder['pipeline'] = [dict(type='LoadImageFromFile'), dict(type='Resize', scale=2)]
    assert len(noisy(open_set=dict(OPEN, rate=0.1, dataset=folder)).open_noise) == 10


def test_wrong_types():
    with pytest.raises(TypeError, match=r"open_set must be dict\(type='OpenSetNoise', dataset=...\), got int"):
        noisy(open_set=5)
    with pytest.raises(TypeError, match=r'dataset of OpenSetNoise must be .* got list'):
        OpenSetNoise([1, 2])


def test_labels_of_an_audit_belong_to_the_images_that_were_audited(tmp_path):
    """Drawn anew among those whose corrected label is right, others would be replaced."""
    dataset = noisy()
    corrected = np.where(np.arange(100) < 50, TRUE, dataset.given_labels)
    (path,) = write_label_lists(dataset, corrected, tmp_path, 'corrected')
    without_rate = {key: OPEN[key] for key in OPEN if key != 'rate'}
    again = noisy(noise=None, open_set=without_rate, label_file=str(path))
    assert path.name == 'corrected_labels.json' and again.given_labels.tolist() == corrected.tolist()
    assert [value(again.get_data_info(i)) for i in range(100)] == [value(dataset.get_data_info(i)) for i in range(100)]
    assert again.open_noise.tolist() == dataset.open_noise.tolist()
    with pytest.raises(ValueError, match='leave out rate'):
        len(noisy(noise=None, label_file=str(path)))
