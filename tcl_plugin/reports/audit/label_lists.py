# SPDX-License-Identifier: Apache-2.0
"""Labels as files that the next training reads."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...atomic import write_text
from ...datasets.csv_dataset import PLACE_MARK, CSVDataset
from ...datasets.image_lists import leaves
from ...datasets.label_files import OPEN_KEY
from ...evaluation import write_columns
from ...evaluation.columns import escape_cell


def write_label_lists(dataset: Any, labels: np.ndarray, folder: str | Path, prefix: str) -> list[Path]:
    """Write labels for ``label_file=`` and, where all images are files, a table for :class:`CSVDataset`.

    Both have one row for each distinct image. Copies that a wrapper has made of an image get one
    label, that of the first; images that are held out, or that a wrapper has left out, keep the label they were given.

    Args:
        dataset (Dataset): The :class:`NoisyLabelDataset`.
        labels (np.ndarray): New label of each sample, int64, shape (N,).
        folder (str | Path): Where to write.
        prefix (str): Beginning of the names, such as ``'corrected'``.

    Returns:
        list[Path]: The files: ``corrected_labels.csv`` (``sample_idx,given_label``) and perhaps
        ``corrected_annotations.csv`` (``img_path,gt_label,gt_class``). Where open-set noise has replaced
        images, ``corrected_labels.json`` (``noise_labels`` and ``open_noise``) in place of the first.
    """
    folder = Path(folder)
    # The first copy comes last, and so stays.
    last_to_first = slice(None, None, -1)
    new = dataset.image_labels[1].copy()
    new[dataset.image_index[last_to_first]] = labels[last_to_first]
    files = [_write_labels(folder / f'{prefix}_labels', new, dataset.open_noise)]
    paths = dataset.image_paths
    if None not in paths:
        files.append(folder / f'{prefix}_annotations.csv')
        classes = [str(name) for name in dataset.metainfo.get('classes') or range(dataset.num_classes)]
        numbers, names = np.array(label_numbers(classes), dtype=object), np.array(classes, dtype=object)
        root = list_root(dataset)
        columns = {'img_path': [_below(root, path) for path in paths]}
        write_columns(files[1], columns | {'gt_label': numbers[new], 'gt_class': names[new]})
    return files


def _write_labels(stem: Path, labels: np.ndarray, replaced: np.ndarray) -> Path:
    if not len(replaced):
        path = stem.with_suffix('.csv')
        write_columns(path, {'sample_idx': np.arange(len(labels)), 'given_label': labels})
        return path
    # Which images are replaced is drawn among those whose label is right: by other labels it would be others.
    path = stem.with_suffix('.json')
    write_text(path, json.dumps({'noise_labels': labels.tolist(), OPEN_KEY: replaced.tolist()}))
    return path


def list_root(dataset: Any) -> str:
    """Find the folder that paths in a table of a data set's images start from, for ``data_root``.

    Args:
        dataset (Dataset): The :class:`NoisyLabelDataset`; all its images are files.

    Returns:
        str: Of a :class:`CSVDataset` the folder that its own table starts from, absolute, so that the new table can
        take the place of that one; otherwise, or where images lie outside it, the folder that all images lie in.
    """
    paths = dataset.image_paths
    if type(dataset.dataset) is CSVDataset:
        root = os.path.abspath(dataset.dataset.img_prefix or '.')
        if not any(leaves(path, root) for path in paths):
            return root
    return images_root(paths)


def images_root(paths: Sequence[str]) -> str:
    """Find the folder that all images lie in, for ``data_root`` of :class:`CSVDataset`.

    Args:
        paths (Sequence[str]): Paths of images, relative to the working directory or absolute.

    Returns:
        str: Its absolute path.
    """
    return os.path.commonpath([os.path.dirname(os.path.abspath(path)) for path in paths])


def list_path(path: str) -> str:
    """Write a relative path so that no spreadsheet takes it for a formula, and :class:`CSVDataset` for what it is.

    Args:
        path (str): The path, with ``/``.

    Returns:
        str: The path, with ``./`` before it where it begins as a formula does, or with a space, which
        :class:`CSVDataset` would strip; all others stay as people have them in tables of their own.
    """
    return f'./{path}' if escape_cell(path) != path or path.lstrip() != path else path


def _below(root: str, path: str) -> str:
    return list_path(Path(os.path.relpath(path, root)).as_posix())


def label_numbers(classes: Sequence[str]) -> list[str]:
    """Write the labels 0..K-1 so that :class:`CSVDataset` takes none of them for the name of a class.

    Numbers need no escape, and no agreement on the order of names. Where classes are themselves called
    by numbers, such as 3 and 5, a mark before a number says that it is none of them. Zeros would not do:
    spreadsheets take them away.

    Args:
        classes (Sequence[str]): Names of the classes.

    Returns:
        list[str]: The labels.
    """
    plain = [str(label) for label in range(len(classes))]
    if list(classes) == plain:
        return plain
    mark = ''
    while {mark + text for text in plain} & set(classes):
        mark += PLACE_MARK
    return [mark + text for text in plain]
