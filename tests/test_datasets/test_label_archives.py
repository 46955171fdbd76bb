# SPDX-License-Identifier: Apache-2.0
"""Label files of several vectors, as others publish them: SSR's JSON, npz, CIFAR-10N's and CIFAR-100N's."""

import json
import os
import re
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from mmpretrain.registry import DATASETS

from tcl_plugin.datasets import read_label_file
from tcl_plugin.datasets.label_files import read_open_noise

GOOD = [3, 0, 2, 1, 1]
TRUE = [3, 0, 2, 2, 1]


def as_cifar_n(path, numpy1=False):
    """A file such as CIFAR-10_human.pt: vectors of numpy and, as CIFAR-100N has, a list."""
    content = dict(clean_label=np.array(TRUE), worse_label=np.array(GOOD), aggre_label=TRUE)
    torch.save(content, path)
    if numpy1:  # by which the published files were written
        with zipfile.ZipFile(path) as archive:
            parts = {info.filename: archive.read(info) for info in archive.infolist()}
        with zipfile.ZipFile(path, 'w') as archive:
            for name, data in parts.items():
                former = data.replace(b'cnumpy._core.multiarray\n', b'cnumpy.core.multiarray\n')
                assert (former != data) == name.endswith('data.pkl')
                archive.writestr(name, former)
    return path


def write(path, **content):
    if path.suffix == '.npz':
        np.savez(path, **{name: np.array(value) for name, value in content.items()})
    elif path.suffix == '.pt':
        torch.save({name: torch.tensor(value) for name, value in content.items()}, path)
    else:
        path.write_text(json.dumps(content))
    return path


def refused(path, error, message, **kwargs):
    with pytest.raises(error, match=rf'label file {re.escape(str(path))}: {message}'):
        read_label_file(path, 5, 4, **kwargs)


@pytest.mark.parametrize('suffix', ['.npz', '.json', '.pt'])
def test_one_vector_by_a_known_name(tmp_path, suffix):
    path = write(tmp_path / f'labels{suffix}', noise_labels=GOOD, closed_noise=[1, 3], open_noise=[])
    labels = read_label_file(path, 5, 4)
    assert labels.tolist() == GOOD and labels.dtype == np.int64


@pytest.mark.parametrize('numpy1', [False, True])
def test_cifar_n(tmp_path, numpy1):
    path = as_cifar_n(tmp_path / 'CIFAR-10_human.pt', numpy1)
    assert read_label_file(path, 5, 4, 'worse_label', np.array(TRUE)).tolist() == GOOD
    assert read_label_file(path, 5, 4, 'aggre_label', np.array(TRUE)).tolist() == TRUE
    refused(path, ValueError, 'has clean_label, worse_label, aggre_label; name the given labels by label_key$')
    refused(path, ValueError, "has clean_label.* by label_key, not 'random_label1'", key='random_label1')
    refused(
        path,
        ValueError,
        r'is for another order of the images: clean_label is 2 at index 3, where the dataset has 0 \(1 such',
        key='worse_label',
        true_labels=np.array([3, 0, 2, 0, 1]),
    )


def test_dataset_takes_a_key(tmp_path):
    inner = dict(type='SklearnDigits', split='train', indices=5, pipeline=[])
    true = DATASETS.build(inner).get_gt_labels()
    given = (true + 1) % 10
    path = write(tmp_path / 'l.npz', clean_label=true, worse_label=given, aggre_label=true)
    noisy = dict(type='NoisyLabelDataset', dataset=inner, label_file=str(path), label_key='worse_label')
    dataset = DATASETS.build(noisy)
    assert dataset.given_labels.tolist() == given.tolist() and dataset.noise_rate == 1
    assert 'l.npz (worse_label), measured noise rate 1.0000' in repr(dataset)
    write(path, clean_label=given, worse_label=given)
    with pytest.raises(ValueError, match='is for another order of the images'):
        DATASETS.build(noisy)


def test_refusals(tmp_path):
    path = write(tmp_path / 'a.json', noise_labels=GOOD, open_noise=[[0, 4], [1, 2]])
    refused(path, ValueError, r'its open_noise replaces images, too \(2 of them\)')
    path = write(tmp_path / 'b.json', label=GOOD, labels=TRUE)
    refused(path, ValueError, 'has label, labels; name the given labels by label_key')
    assert read_label_file(path, 5, 4, 'labels').tolist() == TRUE
    path = write(tmp_path / 'c.json', labels='0123')
    refused(path, TypeError, "expected 'labels' a list of integers, got str")
    path = write(tmp_path / 'd.json', labels=[0, 1.5])
    refused(path, TypeError, r"'labels' label 1.5 at index 1 is no integer \(float\)")
    path = write(tmp_path / 'e.npz', labels=GOOD[:3])
    refused(path, ValueError, 'has 3 labels, expected 5')
    path = write(tmp_path / 'f.npz', labels=GOOD, clean_label=TRUE[:3])
    refused(path, ValueError, 'has 3 true labels, expected 5', true_labels=np.array(TRUE))
    np.save(tmp_path / 'g.npy', np.array(GOOD))
    refused(tmp_path / 'g.npy', ValueError, "has no 'labels', but one vector of labels alone", key='labels')


class Hostile:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ('hostile',)


def test_files_that_carry_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(labels=Hostile()), 'a.pt')
    np.savez('a.npz', labels=np.array([Hostile()], dtype=object))
    for name in ('a.pt', 'a.npz'):
        with pytest.raises(ValueError, match=rf'label file {name}: not a readable'):
            read_label_file(name, 5, 4)
    assert sorted(os.listdir()) == ['a.npz', 'a.pt']


@pytest.mark.parametrize('name', ['a.npz', 'a.pt'])
@pytest.mark.parametrize('content', [b'', b'no archive', b'PK\x03\x04 cut off'])
def test_damaged_archives(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    refused(path, ValueError, 'not a readable')


def test_a_view_that_pretends_to_be_large(tmp_path):
    """A file of one pair, of which a copy would take memory without end."""
    pairs = torch.zeros(1, 2, dtype=torch.long).expand(2_000_000, 2)
    torch.save(dict(labels=torch.tensor(GOOD), open_noise=pairs), tmp_path / 'a.pt')
    assert (tmp_path / 'a.pt').stat().st_size < 10_000
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match='open_noise replaces image 0 more than once'):
            read_open_noise(tmp_path / 'a.pt', 5, 5)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_labels_of_another_layout(tmp_path):
    torch.save(dict(labels=torch.tensor(GOOD).to_sparse()), tmp_path / 'a.pt')
    refused(tmp_path / 'a.pt', TypeError, "'labels' labels are torch.int64, torch.sparse_coo, not integers")


def test_a_pt_file_of_something_else(tmp_path):
    torch.save([1, 2], tmp_path / 'a.pt')
    refused(tmp_path / 'a.pt', TypeError, 'expected a dict of labels, got list')


def test_true_labels_tell_the_order_by_any_of_their_names(tmp_path):
    path, other = tmp_path / 'a.npz', np.array(TRUE[::-1])
    for name, key in (('true_label', 'label'), ('clean_label', 'label'), ('clean_coarse_label', 'noisy_coarse_label')):
        np.savez(path, **{key: np.array(GOOD), name: np.array(TRUE)})
        assert read_label_file(path, 5, 4, key, np.array(TRUE)).tolist() == GOOD
        with pytest.raises(ValueError, match=f'is for another order of the images: {name} is'):
            read_label_file(path, 5, 4, key, other)
