# SPDX-License-Identifier: Apache-2.0
"""Writes tiny trees in the layouts of data sets that come as image files, for tests.

Images are of a few pixels, with a colour that depends on the class.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from data_builders import COARSE, balanced_labels, make_images
from mmpretrain.datasets.categories import FOOD101_CATEGORIES
from PIL import Image

SIZE = 12


def write_image(path: str | Path, label: int, num_classes: int, seed: int = 0, size: int = SIZE) -> None:
    """Write one image of a class, in the format of its suffix."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(make_images(np.array([label]), size, num_classes, seed)[0])
    # Any suffix that data sets use for JPEG.
    image.save(path, 'PNG' if path.suffix.lower() == '.png' else 'JPEG')


def write_lines(path: str | Path, lines: Iterable[str]) -> Path:
    """Write a list, one entry a line."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines), encoding='utf-8')
    return path


def wnid(label: int) -> str:
    """A WordNet identifier; they sort as labels do."""
    return f'n{1440764 + label:08d}'


def build_webvision(
    root: str | Path,
    num_classes: int = 52,
    num_train: int = 104,
    num_val: int = 52,
    val_folder: str = 'val_images_256',
) -> Path:
    """Write WebVision 1.0: lists in info/, images found by Google, and those of validation.

    Args:
        root (str | Path): Folder that becomes ``data_root``.
        num_classes (int): Number of classes.
        num_train (int): Number of training images.
        num_val (int): Number of validation images.
        val_folder (str): Where the latter lie.

    Returns:
        Path: ``root``.
    """
    root = Path(root)
    write_lines(root / 'info' / 'synsets.txt', (f'{wnid(i)} name {i}, other name' for i in range(num_classes)))
    lines = []
    for i, label in enumerate(balanced_labels(num_train, num_classes)):
        name = f'google/q{label + 1:04d}/{i:03d}.jpg'
        write_image(root / name, label, num_classes, i)
        lines.append(f'{name} {label}')
    write_lines(root / 'info' / 'train_filelist_google.txt', lines)
    lines = []
    for i, label in enumerate(balanced_labels(num_val, num_classes)):
        name = f'val{i + 1:06d}.jpg'
        write_image(root / val_folder / name, label, num_classes, i)
        lines.append(f'{name} {label}')
    write_lines(root / 'info' / 'val_filelist.txt', lines)
    return root


def build_ilsvrc12(root: str | Path, layout: str = 'wnid', num_classes: int = 52, images_per_class: int = 2) -> Path:
    """Write ImageNet's validation set.

    Args:
        root (str | Path): Folder that becomes ``data_root``.
        layout (str): ``'wnid'`` or ``'label'``, by which there are folders, ``'list'``, or ``'meta'``, a list
            where mmpretrain's ImageNet has it.
        num_classes (int): Number of classes.
        images_per_class (int): Images of each class.

    Returns:
        Path: ``root``.
    """
    root, lines = Path(root), []
    for i, label in enumerate(np.repeat(np.arange(num_classes), images_per_class)):
        name = f'ILSVRC2012_val_{i + 1:08d}.JPEG'
        folder = {'wnid': wnid(label), 'label': str(label), 'list': '', 'meta': ''}[layout]
        write_image(root / 'val' / folder / name, label, num_classes, i)
        lines.append(f'{name} {label}')
    if layout in ('list', 'meta'):
        write_lines(root / ('imagenet_val.txt' if layout == 'list' else 'meta/val.txt'), lines)
    return root


def build_clothing1m(
    root: str | Path,
    num_train: int = 56,
    num_clean: int = 28,
    prefix: str = 'images/',
    lists: str = '',
    folder: str = 'images',
) -> Path:
    """Write Clothing1M: lists of images and of labels, names of classes, images.

    Args:
        root (str | Path): Folder that becomes ``data_root``.
        num_train (int): Number of images with noisy labels.
        num_clean (int): Number of images in each of the three clean splits.
        prefix (str): What entries begin with.
        lists (str): Where the lists lie, below ``root``.
        folder (str): Where the images lie, below ``root``.

    Returns:
        Path: ``root``.
    """
    root = Path(root)
    sizes = {'noisy_train': num_train, 'clean_train': num_clean, 'clean_val': num_clean, 'clean_test': num_clean}
    tables = {'noisy': [], 'clean': []}
    for seed, (split, num) in enumerate(sizes.items()):
        names = []
        for i, label in enumerate(balanced_labels(num, 14)):
            name = f'{i % 10}/{seed}/{split}_{i}.jpg'
            write_image(root / folder / name, label, 14, seed)
            names.append(f'{prefix}{name}')
            tables[split.split('_')[0]].append(f'{prefix}{name} {label}')
        write_lines(root / lists / f'{split}_key_list.txt', names)
    for kind, lines in tables.items():
        write_lines(root / lists / f'{kind}_label_kv.txt', lines)
    write_lines(root / lists / 'category_names_eng.txt', (f'Garment {i}' for i in range(14)))
    return root


def build_animal10n(root: str | Path, num_train: int = 40, num_test: int = 20, size: int = SIZE) -> Path:
    """Write ANIMAL-10N: two folders whose files' names begin with the label."""
    for folder, num in [('training', num_train), ('testing', num_test)]:
        for i, label in enumerate(balanced_labels(num, 10)):
            write_image(Path(root) / folder / f'{label}_a{i:04d}.jpg', label, 10, i, size)
    return Path(root)


def build_food101n(root: str | Path, labels: Sequence[int] = (0, 1, 2, 100) * 4) -> Path:
    """Write Food-101N: a list with a header, names of classes, folders of images."""
    root, lines = Path(root), ['class_name/key']
    for i, label in enumerate(labels):
        name = f'{FOOD101_CATEGORIES[label]}/{i:05d}.jpg'
        write_image(root / 'images' / name, label, 101, i)
        lines.append(name)
    write_lines(root / 'meta' / 'imagelist.tsv', lines)
    write_lines(root / 'meta' / 'classes.txt', ['class_name', *FOOD101_CATEGORIES])
    return root


def build_food101(root: str | Path, labels: Sequence[int] = (0, 1, 2, 100)) -> Path:
    """Write the test part of Food-101: a list without suffixes, and folders of images."""
    root, lines = Path(root), []
    for i, label in enumerate(labels):
        name = f'{FOOD101_CATEGORIES[label]}/{i:05d}'
        write_image(root / 'images' / f'{name}.jpg', label, 101, i)
        lines.append(name)
    write_lines(root / 'meta' / 'test.txt', lines)
    return root


def build_own_folder(
    root: str | Path, classes: Sequence[str] = ('grüner Apfel', 'red car', 'Ünü'), count: int = 10
) -> Path:
    """Write a person's folder of images, with what lies about in such folders.

    Args:
        root (str | Path): The folder.
        classes (Sequence[str]): Names of the classes.
        count (int): Images of each, every fifth in a deeper folder.

    Returns:
        Path: ``root``.
    """
    root = Path(root)
    for label, name in enumerate(classes):
        for i in range(count):
            path = root / name / ('more' if i % 5 == 4 else '') / f'{i:02d}{(".png", ".JPG")[i % 2]}'
            write_image(path, label, len(classes), i)
    write_image(root / 'loose.png', 0, 2)
    write_image(root / '__MACOSX' / classes[0] / '00.png', 0, 2)
    for name in ('Thumbs.db', '.DS_Store', f'{classes[0]}/notes.txt'):
        (root / name).write_text('no image')
    (root / 'nothing').mkdir()
    return root


def build_cnwl(
    root: str | Path,
    train_folder: str = 'all_images',
    val_layout: str = 'validation/{label}/{name}',
    num_train: int = 100,
    num_val: int = 100,
    size: int = SIZE,
) -> Path:
    """Write red and blue mini-ImageNet at a rate of 0.4: lists without suffix in split/, and images.

    Args:
        root (str | Path): Folder that becomes ``data_root``.
        train_folder (str): Where the training images lie.
        val_layout (str): Where those of validation lie.
        num_train (int): Number of training images.
        num_val (int): Number of validation images.
        size (int): Height and width.

    Returns:
        Path: ``root``.
    """
    root, train, val = Path(root), [], []
    for i, label in enumerate(balanced_labels(num_train, 100)):
        train.append(f'n{i:05d}.jpg {label}')
        write_image(root / train_folder / f'n{i:05d}.jpg', label, 100, i, size)
    for i, label in enumerate(balanced_labels(num_val, 100)):
        val.append(f'v{i:05d}.jpg {label}')
        write_image(root / val_layout.format(name=f'v{i:05d}.jpg', label=label), label, 100, i, size)
    for name, lines in [('red_noise_nl_0.4', train), ('blue_noise_nl_0.4', train[::-1]), ('clean_validation', val)]:
        write_lines(root / 'split' / name, lines)
    return root


def build_cifar10n(path: str | Path, true: np.ndarray) -> Path:
    """Write ``CIFAR-10_human.pt``: six vectors of numpy.

    Args:
        path (str | Path): The file.
        true (np.ndarray): True labels in the order of the images, shape (N,).

    Returns:
        Path: ``path``.
    """
    rng = np.random.RandomState(0)
    shares = dict(aggre_label=0.09, worse_label=0.4, random_label1=0.17, random_label2=0.18, random_label3=0.18)
    vectors = {'clean_label': true}
    for name, share in shares.items():
        wrong = rng.rand(len(true)) < share
        vectors[name] = np.where(wrong, (true + rng.randint(1, 10, len(true))) % 10, true)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    torch.save({name: vector.astype(np.int64) for name, vector in vectors.items()}, path)
    return Path(path)


def build_cifar100n(path: str | Path, true: np.ndarray) -> Path:
    """Write ``CIFAR-100_human.pt``: two vectors of numpy and two lists.

    Args:
        path (str | Path): The file.
        true (np.ndarray): True labels in the order of the images, shape (N,).

    Returns:
        Path: ``path``.
    """
    wrong = np.random.RandomState(0).rand(len(true)) < 0.4
    noisy = np.where(wrong, (true + 1) % 100, true)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    content = {
        'clean_label': true.astype(np.int64),
        'noisy_label': noisy.astype(np.int64),
        'noisy_coarse_label': COARSE[noisy].tolist(),
        'clean_coarse_label': COARSE[true].tolist(),
    }
    torch.save(content, path)
    return Path(path)
