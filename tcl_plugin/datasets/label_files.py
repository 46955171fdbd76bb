# SPDX-License-Identifier: Apache-2.0
"""Readers of label files: one label per image, in the order of the dataset. They only read."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..explain import explain_checkpoint
from ..safe_files import check_torch_archive, read_json, read_npy, read_npz
from .image_lists import some
from .labels import NO_CLASS, check_labels
from .sidecar import check_given, check_made_for, check_replaced, read_sidecar

#: Names that the columns of indices and of labels may have in a table with a header.
INDEX_COLUMNS = ('sample_idx', 'index')
LABEL_COLUMNS = ('given_label', 'label')

#: Names that given labels may have in a file of several vectors, and the name of the true ones.
LABEL_KEYS = ('given_label', 'label', 'labels', 'noise_label', 'noise_labels', 'noisy_label', 'noisy_labels')
TRUE_KEY = 'clean_label'

#: The same for the superclasses in CIFAR-100N's file, whose given labels have ``coarse`` in their name, too.
COARSE_TRUE_KEY = 'clean_coarse_label'

#: Names that the column of true labels may have in a table with a header, that of ``label_quality.csv`` first.
TRUE_COLUMNS = ('true_label', TRUE_KEY)

#: Name that pairs of images have in SSR's files: [index here, index in the other dataset].
OPEN_KEY = 'open_noise'

# Digits of an integer in a table; longer ones are a mistake, and slow to read.
LONGEST_NUMBER = 40

_INTEGER = re.compile('[+-]?[0-9]+')


def read_label_file(
    path: str | Path,
    num_samples: int,
    num_classes: int,
    key: str | None = None,
    true_labels: np.ndarray | None = None,
    open_set: bool = False,
) -> np.ndarray:
    """Read and check the given labels in a file.

    ========  ======================================================================
    suffix    content
    ========  ======================================================================
    ``.npy``  vector of any integer type
    ``.json``  list of integers, or an object of several lists
    ``.csv``  rows ``index,label`` in any order; with a header, the columns
              ``sample_idx`` (or ``index``) and ``given_label`` (or ``label``) among others;
              ``true_label`` (or ``clean_label``), where it is there, are the true ones
    ``.npz``  several named vectors
    ``.pt``   dict of several vectors or lists, such as those of CIFAR-10N and CIFAR-100N;
              only numbers are loaded, never code
    ========  ======================================================================

    Args:
        path (str | Path): The file.
        num_samples (int): Number of images N; the file must have as many labels.
        num_classes (int): Number of classes K.
        key (str, optional): Which labels to take from a file that has several, such as
            ``'worse_label'``. Defaults to None, the only ones by a name of :data:`LABEL_KEYS`.
        true_labels (np.ndarray, optional): Labels that the dataset itself has, shape (N,). If the
            file has true labels too (:data:`TRUE_KEY`), they must be the same, or else the file is
            for another order of the images; so it is with the digest in a sidecar
            (``labels.npy.json``, see ``tools/make_noise.py``). Defaults to None. Whether the given
            labels, and the images that are replaced, are those that the sidecar tells of is checked in any case.
        open_set (bool): Whether :func:`read_open_noise` will see to the images that the file
            replaces; otherwise a file that replaces images is refused. Defaults to False.

    Returns:
        np.ndarray: Given labels, int64, shape (N,).

    Raises:
        FileNotFoundError: There is no such file.
        TypeError: The labels are not integers.
        ValueError: The suffix is unknown, the file is damaged or has no labels by that name, the
            number of labels is not N, a label lies outside 0..K-1, the file is for another order of
            the images, its sidecar tells of other labels or of other replaced images, or it replaces
            images and ``open_set`` is False. Every error names the file and what was found.
    """
    path, content = _read(path, num_samples, key)
    made = read_sidecar(path)
    if true_labels is not None:
        check_made_for(path, made, true_labels)
    if isinstance(content, dict):
        _check_order(content, key, true_labels, path, open_set)
        if not open_set and len(_open_pairs(content)):
            raise ValueError(
                f'label file {path}: its {OPEN_KEY} replaces images, too ({len(_open_pairs(content))} of them): '
                "set open_set=dict(type='OpenSetNoise', dataset=...) to the dataset that they come from"
            )
        labels = _choose(content, key, path)
    elif key is not None:
        raise ValueError(f'label file {path}: has no {key!r}, but one vector of labels alone')
    else:
        labels = content
    if labels.ndim == 1 and len(labels) != num_samples:
        raise ValueError(
            f'label file {path}: has {len(labels)} labels, expected {num_samples}, one for each image of the dataset'
        )
    labels = check_labels(labels, num_classes, f'label file {path}')
    check_given(path, made, labels)
    check_replaced(path, made, _to_pairs(content, num_samples, path))
    return labels


def read_open_noise(path: str | Path, num_samples: int, num_others: int) -> np.ndarray | None:
    """Read which images a label file replaces (``open_noise`` in SSR's).

    Args:
        path (str | Path): The label file.
        num_samples (int): Number of images N of the dataset.
        num_others (int): Number of images of the other dataset.

    Returns:
        np.ndarray | None: Indices of the replaced images and of those of the other dataset, int64,
        shape (R, 2); None where the file replaces none.

    Raises:
        FileNotFoundError: There is no such file.
        TypeError: They are not integers.
        ValueError: The file cannot be read; they are not pairs; an index is out of range; or an
            image is replaced twice. Every error names the file and what was found.
    """
    path, content = _read(path, num_samples)
    pairs = _to_pairs(content, num_samples, path)
    if not len(pairs):
        return None
    for column, size, whose in ((0, num_samples, 'this dataset'), (1, num_others, 'open_set.dataset')):
        wrong = np.flatnonzero((pairs[:, column] < 0) | (pairs[:, column] >= size))
        if len(wrong):
            raise ValueError(
                f'label file {path}: {OPEN_KEY} names image {pairs[wrong[0], column]} of {whose}, which has {size}'
            )
    index, count = np.unique(pairs[:, 0], return_counts=True)
    if count.max() > 1:
        raise ValueError(f'label file {path}: {OPEN_KEY} replaces image {index[count.argmax()]} more than once')
    return pairs.astype(np.int64)


def _to_pairs(content: np.ndarray | dict, num_samples: int, path: Path) -> np.ndarray:
    """The pairs in a file as an array of integers; without rows where it has none."""
    pairs = _open_pairs(content) if isinstance(content, dict) else []
    if not len(pairs):
        return np.empty((0, 2), dtype=np.int64)
    try:
        if isinstance(pairs, torch.Tensor):
            # A view may pretend to have more rows than there are samples; a copy would make them.
            pairs = pairs[: num_samples + 1]
        pairs = np.array(pairs)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f'label file {path}: {OPEN_KEY} must be pairs of indices: {error}') from error
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ValueError(f'label file {path}: {OPEN_KEY} must be pairs of indices, got shape {pairs.shape}')
    if pairs.dtype.kind not in 'iu':
        raise TypeError(f'label file {path}: {OPEN_KEY} must be pairs of integers, got {pairs.dtype}')
    return pairs


def _open_pairs(content: dict) -> Any:
    """What a file has under the name of pairs; empty where it has none."""
    pairs = content.get(OPEN_KEY)
    if pairs is None:
        return []
    return pairs if isinstance(pairs, (list, tuple)) or getattr(pairs, 'ndim', 0) > 0 else [pairs]


def _read(path: str | Path, num_samples: int, key: str | None = None) -> tuple[Path, np.ndarray | dict]:
    """Read what a label file for so many images holds."""
    if not isinstance(path, (str, Path)):
        raise TypeError(f'label file: expected a path, got {path!r}')
    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise ValueError(f'label file {path}: unknown suffix {path.suffix!r}; known are {sorted(_READERS)}')
    if not path.is_file():
        raise FileNotFoundError(f'label file {path} does not exist or is not a file')
    try:
        return path, _READERS[suffix](path, num_samples, key)
    except (ValueError, EOFError, OSError) as error:
        if str(error).startswith('label file '):
            raise
        raise ValueError(f'label file {path}: not a readable {suffix} file: {error}') from error


def _choose(content: dict, key: str | None, path: Path) -> np.ndarray:
    """Take the given labels out of a file that has several vectors."""
    found = [key] if key is not None else [name for name in LABEL_KEYS if name in content]
    if len(found) != 1 or found[0] not in content:
        names = some([_shorten(str(name)) for name in content], most=8) or 'nothing'
        if content and all(isinstance(value, (int, float, str)) for value in content.values()):
            raise ValueError(
                f'label file {path}: has one value for each of {len(content)} keys ({names}); labels must be a list, '
                'in the order of the images of the dataset'
            )
        raise ValueError(
            f'label file {path}: has {names}; name the given labels by label_key'
            + (f', not {key!r}' if key is not None else '')
        )
    return _to_vector(content[found[0]], f'{found[0]!r} ', path)


def _check_order(content: dict, key: str | None, true_labels: np.ndarray | None, path: Path, open_set: bool) -> None:
    """Refuse a file whose true labels are not those of the dataset."""
    names = (COARSE_TRUE_KEY,) if 'coarse' in (key or '') else TRUE_COLUMNS
    name = next((name for name in names if content.get(name) is not None), None)
    if name is None:
        return
    found = _to_vector(content[name], f'{name!r} ', path)
    replaced = found == NO_CLASS
    if replaced.any() and not open_set:
        raise ValueError(
            f'label file {path}: its {name} is {NO_CLASS} for {replaced.sum()} images: others replace them, and it '
            'does not say which; take the .json file that tools/make_noise.py writes, and set open_set'
        )
    if true_labels is None:
        return
    if found.shape != true_labels.shape:
        raise ValueError(f'label file {path}: has {found.size} true labels, expected {len(true_labels)}')
    wrong = np.flatnonzero((found != true_labels) & ~replaced)
    if len(wrong):
        index = wrong[0]
        raise ValueError(
            f'label file {path}: is for another order of the images: {name} is {found[index]} at index {index}, '
            f'where the dataset has {true_labels[index]} ({len(wrong)} such differences)'
        )


def _read_npy(path: Path, num_samples: int, key: str | None) -> np.ndarray:
    try:
        return read_npy(path)
    except TypeError as error:
        raise TypeError(f'label file {path}: {error}') from error


def _read_npz(path: Path, num_samples: int, key: str | None) -> dict[str, np.ndarray | None]:
    # Room for pairs, and for a wrong number of labels, of which there is more to say than that it is large.
    wanted = {*LABEL_KEYS, *TRUE_COLUMNS, COARSE_TRUE_KEY, OPEN_KEY, *([] if key is None else [key])}
    return read_npz(path, wanted, most=4 * num_samples + 100_000)


def _read_pt(path: Path, num_samples: int, key: str | None) -> dict[str, object]:
    check_torch_archive(path)
    try:
        # Only numbers and plain containers, numpy's among them: see compat.py.
        content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # of a damaged file, whatever its first wrong byte happens to mean
        raise ValueError(explain_checkpoint(error) or str(error)) from error
    if not isinstance(content, dict):
        raise TypeError(f'label file {path}: expected a dict of labels, got {type(content).__name__}')
    return content


def _read_json(path: Path, num_samples: int, key: str | None) -> np.ndarray | dict[str, object]:
    labels = read_json(path)
    return labels if isinstance(labels, dict) else _to_vector(labels, '', path)


def _to_vector(labels: object, what: str, path: Path) -> np.ndarray:
    """Bring labels from a file, a list perhaps, to an array; ``what`` is their name for errors."""
    if isinstance(labels, torch.Tensor):
        if labels.is_floating_point() or labels.layout != torch.strided:
            # Some of these have no counterpart in numpy.
            raise TypeError(f'label file {path}: {what}labels are {labels.dtype}, {labels.layout}, not integers')
        return labels.numpy()
    if isinstance(labels, np.ndarray):
        return labels
    if not isinstance(labels, list):
        raise TypeError(f'label file {path}: expected {what}a list of integers, got {type(labels).__name__}')
    for index, label in enumerate(labels):
        if not isinstance(label, (int, np.integer)) or isinstance(label, bool):
            raise TypeError(
                f'label file {path}: {what}label {label!r} at index {index} is no integer ({type(label).__name__})'
            )
    return _to_array(labels, path)


def _read_csv(path: Path, num_samples: int, key: str | None) -> np.ndarray | dict[str, np.ndarray]:
    try:
        # utf-8-sig, as spreadsheets put a byte order mark before the header.
        with path.open(newline='', encoding='utf-8-sig') as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if row]
    except (ValueError, csv.Error) as error:
        raise ValueError(f'label file {path}: not a readable table: {error}') from error
    columns, rows = _csv_columns(rows, path)
    (_, index_column), *columns = columns
    columns = [(name, column) for name, column in columns if name not in TRUE_COLUMNS or not _is_blank(rows, column)]
    found: dict[int, list[int]] = {}
    for number, row in rows:
        if len(row) <= max(index_column, *(column for _, column in columns)):
            raise ValueError(f'label file {path}: line {number} has too few columns: {row}')
        index = _csv_integer(row[index_column], number, path)
        if index < 0:
            raise ValueError(f'label file {path}: line {number} has index {index}; indices begin at 0')
        if index in found:
            raise ValueError(f'label file {path}: line {number} has index {index} a second time')
        found[index] = [
            _csv_integer(row[column], number, path, f' of {name}' if name in TRUE_COLUMNS else '')
            for name, column in columns
        ]
    for index in range(len(found)):
        if index not in found:
            raise ValueError(
                f'label file {path}: index {index} is missing; indices must be '
                f'0..{len(found) - 1}, as there are {len(found)} labels'
            )
    in_order = [found[index] for index in range(len(found))]
    vectors = {name: _to_array([row[i] for row in in_order], path) for i, (name, _) in enumerate(columns)}
    return vectors if len(vectors) > 1 else next(iter(vectors.values()))


def _csv_columns(rows: list[tuple], path: Path) -> tuple[list[tuple[str, int]], list[tuple]]:
    """Find the columns of index, label and perhaps true label, and the rows below the header."""
    if not rows:
        raise ValueError(f'label file {path} is empty')
    first = [name.strip() for name in rows[0][1]]
    if first[0].lstrip('-').isdecimal():
        if len(first) != 2:
            raise ValueError(
                f'label file {path}: without a header there must be two columns, index and label; got {len(first)}'
            )
        return [(INDEX_COLUMNS[0], 0), (LABEL_COLUMNS[0], 1)], rows
    kinds = [INDEX_COLUMNS, LABEL_COLUMNS, TRUE_COLUMNS]
    index, label, true = (next((name for name in names if name in first), None) for names in kinds)
    if index is None or label is None:
        raise ValueError(
            f'label file {path}: the header must name one of {list(INDEX_COLUMNS)} and one of {list(LABEL_COLUMNS)}, '
            f'got {first}'
        )
    return [(name, first.index(name)) for name in (index, label, true) if name is not None], rows[1:]


def _is_blank(rows: list[tuple], column: int) -> bool:
    """Whether nobody has filled in a column."""
    return not any(row[column].strip() for _, row in rows if len(row) > column)


def _csv_integer(text: str, number: int, path: Path, of: str = '') -> int:
    # Not what int() takes besides: 1_0, or digits of other scripts.
    if not _INTEGER.fullmatch(text.strip()) or len(text) > LONGEST_NUMBER:
        raise TypeError(f'label file {path}: {_shorten(text, LONGEST_NUMBER)!r}{of} in line {number} is no integer')
    return int(text)


def _shorten(text: str, most: int = 100) -> str:
    """The beginning of a text, for errors."""
    return text if len(text) <= most else f'{text[:most]}...'


def _to_array(labels: list[int], path: Path) -> np.ndarray:
    try:
        return np.array(labels, dtype=np.int64)
    except OverflowError as error:
        raise ValueError(f'label file {path}: a label is too large: {error}') from None


_READERS: dict[str, Callable[[Path, int, str | None], np.ndarray | dict]] = {
    '.npy': _read_npy,
    '.npz': _read_npz,
    '.pt': _read_pt,
    '.json': _read_json,
    '.csv': _read_csv,
}
