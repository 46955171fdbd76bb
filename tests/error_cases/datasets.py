# SPDX-License-Identifier: Apache-2.0
"""Data sets that are not as their config says."""

import errno
import gzip
import os

import numpy as np
from data_builders import build_cifar10
from hostile_files import write_pickle
from mmpretrain.registry import DATASETS
from PIL import Image

from tcl_plugin.datasets import CSVDataset
from tcl_plugin.evaluation import write_columns

from .desk import Desk, case, tool

RNG = np.random.RandomState(0)


def image(desk: Desk, name: str) -> None:
    path = desk.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new('RGB', (8, 8), (200, 100, 0)).save(path)


def folder_set(desk: Desk, *names: str, **changes) -> dict:
    """Config of a data set of image files in folders."""
    for name in names:
        image(desk, f'data/{name}')
    inner = dict(type='CustomDataset', data_root='data', pipeline=[dict(type='LoadImageFromFile')]) | changes
    return dict(type='NoisyLabelDataset', dataset=inner)


def from_folder(desk: Desk, *names: str, **changes) -> str:
    return desk.building(lambda: DATASETS.build(folder_set(desk, *names, **changes)))


@case('folder-missing')
def folder_missing(desk: Desk) -> str:
    return from_folder(desk, 'a/1.png', data_prefix='train')


@case('folder-without-classes')
def folder_without_classes(desk: Desk) -> str:
    return from_folder(desk, '1.png')


@case('folder-classes-too-many')
def folder_classes_too_many(desk: Desk) -> str:
    return from_folder(desk, 'a/1.png', 'b/1.png', classes=['a', 'b', 'c'])


@case('folder-class-empty')
def folder_class_empty(desk: Desk) -> str:
    config = folder_set(desk, 'a/1.png')
    (desk.folder / 'data' / 'b').mkdir()
    dataset = DATASETS.build(config)
    return f'accepted: {len(dataset)} image, {dataset.num_classes} classes'


@case('folder-other-suffixes')
def folder_other_suffixes(desk: Desk) -> str:
    dataset = DATASETS.build(folder_set(desk, 'a/1.png', 'a/2.webp', 'b/3.png'))
    return f'accepted: {len(dataset)} of 3 images'


@case('folder-names-of-any-script')
def folder_names_of_any_script(desk: Desk) -> str:
    dataset = DATASETS.build(folder_set(desk, 'my cats/1 2.png', '犬/é ü.png'))
    assert dataset.metainfo['classes'] == ('my cats', '犬') and dataset[1]['img'].shape == (8, 8, 3)
    return f'accepted: {len(dataset)} images'


@case('folder-names-not-in-utf-8')
def folder_names_not_in_utf_8(desk: Desk) -> str:
    """They come from archives that were packed elsewhere; the table of label quality keeps them."""
    name = os.fsdecode(b'caf\xe9.png')
    dataset = DATASETS.build(folder_set(desk, f'a/{name}', 'b/1.png'))
    write_columns('table.csv', {'img_path': dataset.img_paths})
    with open('table.csv', encoding='utf-8', errors='surrogateescape') as file:
        assert file.read().splitlines()[1:] == dataset.img_paths == [f'data/a/{name}', 'data/b/1.png']
    assert dataset[0]['img'].shape == (8, 8, 3)
    return f'accepted: {len(dataset)} images'


@case('folder-same-image-twice')
def folder_same_image_twice(desk: Desk) -> str:
    dataset = DATASETS.build(folder_set(desk, 'a/1.png', 'b/1.png'))
    assert np.array_equal(dataset[0]['img'], dataset[1]['img'])
    return f'accepted: {len(dataset)} images, labels {dataset.given_labels.tolist()}'


@case('folder-unreadable')
def folder_unreadable(desk: Desk) -> str:
    image(desk, 'data/a/1.png')

    def scandir(folder):
        if str(folder).endswith('/a'):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        return real(folder)

    real = os.scandir
    desk.patch.setattr(os, 'scandir', scandir)
    return desk.told(lambda: tool('predict').find_images('data'))


@case('list-label-text')
def list_label_text(desk: Desk) -> str:
    return from_folder(desk, 'a/1.png', ann_file=str(desk.write('list.txt', 'a/1.png 0\na/1.png cat\n')))


@case('list-label-missing')
def list_label_missing(desk: Desk) -> str:
    return from_folder(desk, 'a/1.png', ann_file=str(desk.write('list.txt', 'a/1.png\n')))


def listed(desk: Desk, line: str, **changes) -> str:
    """Write Food-101N with one line in its list."""
    image(desk, 'data/images/apple_pie/1.jpg')
    image(desk, 'secret.jpg')
    desk.write('data/meta/imagelist.tsv', f'class_name/key\n{line}\n')
    return desk.building(lambda: DATASETS.build(dict(type='Food101N', data_root='data') | changes))


@case('list-class-unknown')
def list_class_unknown(desk: Desk) -> str:
    return listed(desk, 'applepie/1.jpg')


@case('list-classes-of-others')
def list_classes_of_others(desk: Desk) -> str:
    return listed(desk, 'apple_pie/1.jpg', classes=['socks'] * 101)


@case('list-leaves-the-folder')
def list_leaves_the_folder(desk: Desk) -> str:
    return listed(desk, 'apple_pie/../../../secret.jpg')


def tabled(desk: Desk, *rows: str, header: str = 'img_path,gt_label', **changes) -> str:
    """Write a table beside an image of a cat, and be refused."""
    image(desk, 'data/cats/1.jpg')
    image(desk, 'secret.jpg')
    desk.write('data/table.csv', ''.join(f'{row}\n' for row in (header, *rows)))
    config = dict(type='CSVDataset', ann_file='table.csv', data_root='data') | changes
    return desk.building(lambda: DATASETS.build(config))


@case('table-columns')
def table_columns(desk: Desk) -> str:
    return tabled(desk, 'cats/1.jpg,cat', header='path,label')


@case('table-empty')
def table_empty(desk: Desk) -> str:
    return tabled(desk)


@case('table-label-missing')
def table_label_missing(desk: Desk) -> str:
    return tabled(desk, 'cats/1.jpg')


@case('table-class-of-another-order')
def table_class_of_another_order(desk: Desk) -> str:
    return tabled(desk, 'cats/1.jpg,0,cat', header='img_path,gt_label,gt_class', classes=['bird', 'cat'])


@case('table-class-unknown')
def table_class_unknown(desk: Desk) -> str:
    return tabled(desk, 'cats/1.jpg,cow', classes=['cat', 'dog'])


@case('table-label-mixture')
def table_label_mixture(desk: Desk) -> str:
    return tabled(desk, 'cats/1.jpg,0', 'cats/2.jpg,cat', classes=['cat', 'dog'])


@case('table-label-number')
def table_label_number(desk: Desk) -> str:
    return tabled(desk, 'cats/1.jpg,0', 'cats/2.jpg,-1')


@case('table-comma-in-path')
def table_comma_in_path(desk: Desk) -> str:
    return tabled(desk, 'cats/1,5.jpg,cat')


@case('table-image-missing')
def table_image_missing(desk: Desk) -> str:
    return tabled(desk, 'cats/1.jpg,cat', 'cats/2.jpg,cat')


@case('table-leaves-the-folder')
def table_leaves_the_folder(desk: Desk) -> str:
    return tabled(desk, 'cats/../../secret.jpg,cat')


@case('table-absolute-path')
def table_absolute_path(desk: Desk) -> str:
    return tabled(desk, f'{desk.folder}/secret.jpg,cat')


@case('table-absolute-path-allowed')
def table_absolute_path_allowed(desk: Desk) -> str:
    image(desk, 'secret.jpg')
    desk.write('data/table.csv', f'img_path,gt_label\n{desk.folder}/secret.jpg,cat\n')
    dataset = CSVDataset('table.csv', data_root='data', allow_outside=True)
    assert dataset.get_data_info(0)['img_path'] == f'{desk.folder}/secret.jpg'
    return f'accepted: {len(dataset)} image'


@case('table-same-image-twice')
def table_same_image_twice(desk: Desk) -> str:
    image(desk, 'data/cats/1.jpg')
    desk.write('data/table.csv', 'img_path,gt_label\ncats/1.jpg,cat\ncats/1.jpg,dog\n')
    dataset = CSVDataset('table.csv', data_root='data')
    return f'accepted: {len(dataset)} images, labels {dataset.get_gt_labels().tolist()}'


@case('table-classes-of-two')
def table_classes_of_two(desk: Desk) -> str:
    """Only reading finds them, which mmengine does not wait for."""
    image(desk, 'data/1.jpg')
    tables = dict(a=('cat', 'dog'), b=('ant', 'cat'))
    for name, labels in tables.items():
        desk.write(f'data/{name}.csv', 'img_path,gt_label\n' + ''.join(f'1.jpg,{label}\n' for label in labels))
    parts = [dict(type='CSVDataset', data_root='data', ann_file=f'{name}.csv', lazy_init=True) for name in tables]
    config = dict(type='NoisyLabelDataset', dataset=dict(type='ConcatDataset', datasets=parts))
    return desk.building(lambda: DATASETS.build(config))


def digits(desk: Desk, **changes) -> str:
    return desk.building(lambda: DATASETS.build(dict(type='SklearnDigits', split='train') | changes))


@case('data-split-unknown')
def split_unknown(desk: Desk) -> str:
    return digits(desk, split='val')


@case('data-indices-outside')
def indices_outside(desk: Desk) -> str:
    return digits(desk, indices=[5000])


@case('data-indices-of-none')
def indices_of_none(desk: Desk) -> str:
    return digits(desk, indices=0)


def fashion(desk: Desk, content: bytes) -> str:
    """Fashion-MNIST whose labels are these."""
    for name in ('train-images-idx3', 'train-labels-idx1'):
        desk.write(f'data/{name}-ubyte.gz', content)
    return desk.building(lambda: DATASETS.build(dict(type='FashionMNISTRGB', data_root='data', download=False)))


@case('data-archive-damaged')
def archive_damaged(desk: Desk) -> str:
    return fashion(
        desk,
        gzip.compress(
            b'\0\0\x08\x03' + bytes(3) + b'\x02' + bytes(3) + b'\x1c' + bytes(3) + b'\x1c' + RNG.bytes(1568)
        )[:-10],
    )


@case('data-archive-claims-too-much')
def archive_claims_too_much(desk: Desk) -> str:
    return fashion(desk, gzip.compress(b'\0\0\x08\x03' + b'\xff\xff\xff\xff' + b'\0\0\0\x1c' * 2))


@case('data-archive-missing')
def archive_missing(desk: Desk) -> str:
    (desk.folder / 'data').mkdir()
    return desk.building(lambda: DATASETS.build(dict(type='FashionMNISTRGB', data_root='data', download=False)))


@case('data-cifar-with-code')
def cifar_with_code(desk: Desk) -> str:
    build_cifar10(desk.folder / 'data', images_per_batch=2)
    write_pickle(desk.folder / 'data' / 'cifar-10-batches-py' / 'data_batch_1', desk.folder / 'trace')
    return desk.building(lambda: DATASETS.build(dict(type='CIFAR10', data_root='data', download=False)))
