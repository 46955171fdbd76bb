# SPDX-License-Identifier: Apache-2.0
"""Wrong label files."""

import json
import zipfile

import numpy as np
import torch
from hostile_files import Touch, npy_header, write_npz
from mmpretrain.registry import DATASETS

from tcl_plugin.datasets.sidecar import digest

from .desk import Desk, case
from .noise import DIGITS, noisy

GOOD = (np.arange(20) % 10).tolist()


def read(desk: Desk, name: str, content: object, **changes) -> str:
    """Write a label file, use it for twenty digits, and be refused."""
    if content is None:
        pass  # it is there already, or is not to be there
    elif isinstance(content, np.ndarray):
        np.save(name, content, allow_pickle=True)
    elif isinstance(content, (str, bytes)):
        desk.write(name, content)
    elif name.endswith('.pt'):
        torch.save(content, name)
    else:
        desk.write(name, json.dumps(content))
    return noisy(desk, label_file=name, **changes)


def table(labels: list, header: str = '') -> str:
    return header + ''.join(f'{i},{label}\n' for i, label in enumerate(labels))


def replaced(index: int, label: object) -> list:
    return [*GOOD[:index], label, *GOOD[index + 1 :]]


@case('labels-missing')
def missing(desk: Desk) -> str:
    return read(desk, 'labels.npy', None)


@case('labels-suffix')
def suffix(desk: Desk) -> str:
    return read(desk, 'labels.txt', '0\n1\n')


@case('labels-too-few')
def too_few(desk: Desk) -> str:
    return read(desk, 'labels.npy', np.array(GOOD[1:]))


@case('labels-above-range')
def above_range(desk: Desk) -> str:
    return read(desk, 'labels.npy', np.array(replaced(7, 10)))


@case('labels-negative')
def negative(desk: Desk) -> str:
    return read(desk, 'labels.csv', table(replaced(5, -1)))


@case('labels-float')
def as_floats(desk: Desk) -> str:
    return read(desk, 'labels.npy', np.array(GOOD, dtype=float))


@case('labels-one-hot')
def one_hot(desk: Desk) -> str:
    return read(desk, 'labels.npy', np.eye(10, dtype=int)[GOOD])


@case('labels-nan')
def nan(desk: Desk) -> str:
    return read(desk, 'labels.json', replaced(0, float('nan')))


@case('labels-names')
def names(desk: Desk) -> str:
    return read(desk, 'labels.json', replaced(3, 'cat'))


@case('labels-key-wrong')
def key_wrong(desk: Desk) -> str:
    return read(desk, 'labels.json', dict(worse_label=GOOD, aggre_label=GOOD), label_key='worst_label')


@case('labels-key-missing')
def key_missing(desk: Desk) -> str:
    return read(desk, 'labels.json', dict(worse_label=GOOD, aggre_label=GOOD))


@case('labels-by-index')
def by_index(desk: Desk) -> str:
    return read(desk, 'labels.json', dict(enumerate(GOOD)))


@case('labels-key-needless')
def key_needless(desk: Desk) -> str:
    return read(desk, 'labels.json', GOOD, label_key='worse_label')


@case('labels-other-order')
def other_order(desk: Desk) -> str:
    return read(desk, 'labels.json', dict(label=GOOD, clean_label=GOOD[::-1]))


@case('labels-other-order-by-digest')
def other_order_by_digest(desk: Desk) -> str:
    desk.write('labels.npy.json', '{"true_labels_sha256": "0"}')
    return read(desk, 'labels.npy', np.array(GOOD))


@case('labels-changed')
def changed(desk: Desk) -> str:
    true = np.array(DATASETS.build(DIGITS).get_gt_labels())
    made = dict(true_labels_sha256=digest(true), given_labels_sha256=digest(np.array(GOOD)))
    desk.write('labels.npy.json', json.dumps(made))
    return read(desk, 'labels.npy', np.array(replaced(3, 4)))


@case('labels-of-replaced-images')
def of_replaced_images(desk: Desk) -> str:
    rows = ''.join(f'{i},{label},{label if i else -1}\n' for i, label in enumerate(GOOD))
    return read(desk, 'labels.csv', f'sample_idx,given_label,true_label\n{rows}')


@case('labels-index-twice')
def index_twice(desk: Desk) -> str:
    return read(desk, 'labels.csv', table(GOOD) + '4,1\n')


@case('labels-index-missing')
def index_missing(desk: Desk) -> str:
    return read(desk, 'labels.csv', table(GOOD).replace('\n7,', '\n20,'))


@case('labels-index-negative')
def index_negative(desk: Desk) -> str:
    return read(desk, 'labels.csv', table(GOOD).replace('\n7,', '\n-1,'))


@case('labels-not-an-integer')
def not_an_integer(desk: Desk) -> str:
    return read(desk, 'labels.csv', table(replaced(3, '1_0')))


@case('labels-column-unknown')
def column_unknown(desk: Desk) -> str:
    return read(desk, 'labels.csv', table(GOOD, 'image,class\n'))


@case('labels-semicolons')
def semicolons(desk: Desk) -> str:
    return read(desk, 'labels.csv', table(GOOD).replace(',', ';'))


@case('labels-columns-too-few')
def columns_too_few(desk: Desk) -> str:
    return read(desk, 'labels.csv', table(GOOD).replace('\n7,7\n', '\n7\n'))


@case('labels-empty')
def empty(desk: Desk) -> str:
    return read(desk, 'labels.csv', '\n')


@case('labels-json-broken')
def json_broken(desk: Desk) -> str:
    return read(desk, 'labels.json', '[1, 2')


@case('labels-json-key-twice')
def json_key_twice(desk: Desk) -> str:
    return read(desk, 'labels.json', f'{{"label": {GOOD}, "label": {GOOD}}}')


@case('labels-json-too-deep')
def json_too_deep(desk: Desk) -> str:
    return read(desk, 'labels.json', '[' * 100_000)


@case('labels-cut-short')
def cut_short(desk: Desk) -> str:
    return read(desk, 'labels.npy', npy_header(20) + bytes(40))


@case('labels-claim-too-much')
def claim_too_much(desk: Desk) -> str:
    return read(desk, 'labels.npy', npy_header(10**12) + bytes(40))


@case('labels-npz-bomb')
def npz_bomb(desk: Desk) -> str:
    write_npz(desk.folder / 'labels.npz', label=npy_header(10**6) + bytes(8 * 10**6))
    return read(desk, 'labels.npz', None)


@case('labels-npy-with-code')
def npy_with_code(desk: Desk) -> str:
    return read(desk, 'labels.npy', np.array([Touch(desk.folder / 'trace')] * 20, dtype=object))


@case('labels-pt-with-code')
def pt_with_code(desk: Desk) -> str:
    return read(desk, 'labels.pt', dict(label=Touch(desk.folder / 'trace')))


@case('labels-pt-compressed')
def pt_compressed(desk: Desk) -> str:
    torch.save(dict(label=torch.zeros(1000, dtype=torch.int64)), 'whole.pt')
    with zipfile.ZipFile('whole.pt') as old, zipfile.ZipFile('labels.pt', 'w', zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return read(desk, 'labels.pt', None)


@case('labels-pt-half-precision')
def pt_half_precision(desk: Desk) -> str:
    return read(desk, 'labels.pt', dict(label=torch.zeros(20, dtype=torch.bfloat16)))


@case('labels-replace-images')
def replace_images(desk: Desk) -> str:
    return read(desk, 'labels.json', dict(noise_labels=GOOD, open_noise=[[0, 4]]))


OTHERS = dict(type='OpenSetNoise', dataset=dict(type='SklearnDigits', split='test', indices=9, pipeline=[]))


@case('labels-replace-image-twice')
def replace_image_twice(desk: Desk) -> str:
    return read(desk, 'labels.json', dict(noise_labels=GOOD, open_noise=[[0, 4], [0, 5]]), open_set=OTHERS)


def replaced_as_told(desk: Desk, pairs: list, **told) -> str:
    """Read pairs of which the sidecar tells this."""
    true = np.array(DATASETS.build(DIGITS).get_gt_labels())
    desk.write('labels.json.json', json.dumps(dict(true_labels_sha256=digest(true), **told)))
    return read(desk, 'labels.json', dict(noise_labels=GOOD, open_noise=pairs), open_set=OTHERS)


@case('labels-replaced-too-few')
def replaced_too_few(desk: Desk) -> str:
    return replaced_as_told(desk, [[0, 4]], num_replaced=2)


@case('labels-replaced-others')
def replaced_others(desk: Desk) -> str:
    return replaced_as_told(desk, [[0, 4]], num_replaced=1, open_noise_sha256=digest(np.array([[0, 5]])))


@case('labels-replaced-by-a-set-of-another-size')
def replaced_by_a_set_of_another_size(desk: Desk) -> str:
    return replaced_as_told(desk, [[0, 4]], open_set_num_samples=360)


@case('labels-replaced-by-another-set')
def replaced_by_another_set(desk: Desk) -> str:
    return replaced_as_told(desk, [[0, 4]], open_set_num_samples=9, open_set_labels_sha256=digest(np.arange(9)[::-1]))
