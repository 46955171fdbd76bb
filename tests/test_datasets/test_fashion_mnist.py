# SPDX-License-Identifier: Apache-2.0
import gzip
import stat
from pathlib import Path

import numpy as np
import pytest
from data_builders import balanced_labels, build_fashion_mnist, make_images
from mmpretrain.datasets import FashionMNIST
from mmpretrain.registry import DATASETS

from tcl_plugin.datasets import FashionMNISTRGB

SYSTEM_FOLDER = Path('/usr/share/datasets/fashion-mnist')


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """A test must never start a real download."""

    def refuse(self):
        raise OSError('no network in tests')

    monkeypatch.setattr(FashionMNIST, '_download', refuse)


@pytest.mark.parametrize('compressed', [True, False])
@pytest.mark.parametrize(('split', 'num', 'seed'), [('train', 100, 0), ('test', 20, 1)])
def test_read(tmp_path, compressed, split, num, seed):
    root = build_fashion_mnist(tmp_path, 100, 20, compressed)
    dataset = DATASETS.build(dict(type='FashionMNISTRGB', data_root=str(root), split=split))
    labels = balanced_labels(num, 10)
    assert np.array_equal(dataset.get_gt_labels(), labels)
    images = np.stack([dataset[i]['img'] for i in range(num)])
    assert images.dtype == np.uint8 and images.shape == (num, 28, 28, 3)
    assert np.array_equal(images, make_images(labels, 28, 10, seed)[..., :1].repeat(3, axis=3))
    assert dataset[-1]['sample_idx'] == num - 1
    assert len(dataset.CLASSES) == 10


def test_split_and_not_test_mode_decides(tmp_path):
    root = str(build_fashion_mnist(tmp_path, 30, 10))
    assert len(FashionMNISTRGB(data_root=root, split='test', test_mode=False)) == 10
    assert len(FashionMNISTRGB(data_root=root, split='test', test_mode=True)) == 10
    assert len(FashionMNISTRGB(data_root=root, split='train', test_mode=True)) == 30


def test_nothing_is_written(tmp_path):
    root = build_fashion_mnist(tmp_path / 'data')
    before = {path.name: path.read_bytes() for path in root.iterdir()}
    root.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        FashionMNISTRGB(data_root=str(root))
        FashionMNISTRGB(data_root=str(root), split='test')
    finally:
        root.chmod(stat.S_IRWXU)
    # Said of the bytes too, as the rights of a folder do not bind the superuser.
    assert {path.name: path.read_bytes() for path in root.iterdir()} == before


def test_missing_folder(tmp_path):
    with pytest.raises(RuntimeError, match=r'nowhere.*train-images-idx3-ubyte.gz.*download=True'):
        FashionMNISTRGB(data_root=str(tmp_path / 'nowhere'), download=False)
    assert not (tmp_path / 'nowhere').exists()


def test_one_missing_file_is_named(tmp_path):
    root = build_fashion_mnist(tmp_path)
    (root / 't10k-labels-idx1-ubyte.gz').unlink()
    with pytest.raises(RuntimeError, match=r': t10k-labels-idx1-ubyte.gz missing'):
        FashionMNISTRGB(data_root=str(root), split='test', download=False)
    assert len(FashionMNISTRGB(data_root=str(root), split='train', download=False)) == 100


def test_download_is_tried_and_its_failure_told(tmp_path):
    with pytest.raises(RuntimeError, match=r'nowhere.*The download failed: no network'):
        FashionMNISTRGB(data_root=str(tmp_path / 'nowhere'))


def test_download_is_the_parent_s(tmp_path, monkeypatch):
    def download(self):
        build_fashion_mnist(self.data_prefix['root'], 30, 10, compressed=False)

    monkeypatch.setattr(FashionMNIST, '_download', download)
    assert len(FashionMNISTRGB(data_root=str(tmp_path / 'new'))) == 30
    monkeypatch.setattr(FashionMNIST, '_download', lambda self: None)
    with pytest.raises(RuntimeError, match=r'other.*The download did not bring them'):
        FashionMNISTRGB(data_root=str(tmp_path / 'other'))


def damage(root, name, change):
    """Change the uncompressed content of a file."""
    path = root / f'{name}.gz'
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))
    return path


IMAGES, LABELS = 'train-images-idx3-ubyte', 'train-labels-idx1-ubyte'


@pytest.mark.parametrize(
    ('name', 'change', 'message'),
    [
        (IMAGES, lambda content: content[:-5], '78395 values.*100, 28, 28'),
        (IMAGES, lambda content: content[:9], 'ends within its header, after 9 bytes'),
        (IMAGES, lambda content: b'', 'begins with 0x00000000, expected 0x00000803'),
        (LABELS, lambda content: b'\0\0\x08\x03' + content[4:], 'expected 0x00000801'),
        (LABELS, lambda content: content[:7] + b'\x63' + content[8:-1], '100 images.*99 labels'),
    ],
)
def test_damaged_content(tmp_path, name, change, message):
    root = build_fashion_mnist(tmp_path)
    path = damage(root, name, change)
    with pytest.raises(ValueError, match=message) as info:
        FashionMNISTRGB(data_root=str(root))
    assert str(path) in str(info.value)


@pytest.mark.parametrize('cut', ['end', 'middle', 'header'])
def test_damaged_archive(tmp_path, cut):
    root = build_fashion_mnist(tmp_path)
    path = root / f'{IMAGES}.gz'
    content = bytearray(path.read_bytes())
    if cut == 'end':
        content = content[: len(content) // 2]
    else:
        start = 0 if cut == 'header' else len(content) // 2
        content[start : start + 40] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(ValueError, match='damaged') as info:
        FashionMNISTRGB(data_root=str(root))
    assert str(path) in str(info.value)


@pytest.mark.skipif(not SYSTEM_FOLDER.is_dir(), reason='dataset-fashion-mnist is not installed')
def test_real_test_set():
    dataset = FashionMNISTRGB(data_root=str(SYSTEM_FOLDER), split='test', download=False)
    assert np.bincount(dataset.get_gt_labels()).tolist() == [1000] * 10
    assert dataset.CLASSES[dataset[0]['gt_label']] == 'Ankle boot'
