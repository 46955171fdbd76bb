# SPDX-License-Identifier: Apache-2.0
"""What lies beside a file of noisy labels: how they were made, and of which true labels."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from ..safe_files import read_json

_NUMBER = (int, float, type(None))
#: What a run keeps of a sidecar, to say by which noise the labels were made; and its types.
MADE_BY: dict[str, Any] = dict(
    kind=(str, type(None)),  # None of open-set noise alone
    parameters=dict,
    nominal_rate=object,  # a noise of one's own may have several
    seed=(int, type(None)),
    open_set_nominal_rate=_NUMBER,
    open_set_seed=(int, type(None)),
    given_labels_sha256=str,
)


def digest(labels: np.ndarray) -> str:
    """Fingerprint of labels in their order, or of rows of numbers.

    Args:
        labels (np.ndarray): Labels, shape (N,), or rows such as pairs of indices, shape (R, C).

    Returns:
        str: SHA-256 of the numbers as little-endian 64-bit integers, row by row, in hexadecimal.
    """
    return hashlib.sha256(np.ascontiguousarray(labels, dtype='<i8').tobytes()).hexdigest()


def sidecar_path(path: str | Path) -> Path:
    """Where the sidecar of a label file lies: ``labels.npy.json`` beside ``labels.npy``."""
    return Path(f'{path}.json')


def read_sidecar(path: Path) -> dict[str, Any] | None:
    """Read what lies beside a label file.

    Args:
        path (Path): The label file.

    Returns:
        dict[str, Any], optional: What the sidecar holds; None where there is none.

    Raises:
        ValueError: The sidecar cannot be read, or has no digest of the true labels.
    """
    sidecar = sidecar_path(path)
    if not sidecar.is_file():
        return None
    try:
        content: Any = read_json(sidecar)
        content['true_labels_sha256']
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{sidecar} beside the label file cannot be read: {error!r}; tools/make_noise.py writes it anew'
        ) from error
    return content


def how_made(sidecar: dict[str, Any] | None) -> dict[str, Any] | None:
    """Take out of a sidecar by which noise the labels were made.

    Args:
        sidecar (dict[str, Any], optional): See :func:`read_sidecar`.

    Returns:
        dict[str, Any], optional: The keys of :data:`MADE_BY`; None without a sidecar, or where it does not say so.
    """
    made = {key: (sidecar or {}).get(key) for key in MADE_BY}
    return made if tells_how_made(made) else None


def tells_how_made(made: Any) -> bool:
    """Whether something, such as what was read from a file, is as :func:`how_made` gives it."""
    if not isinstance(made, dict) or not made.keys() >= MADE_BY.keys():
        return False
    return all(isinstance(made[key], kind) for key, kind in MADE_BY.items())


def check_made_for(path: Path, sidecar: dict[str, Any] | None, true_labels: np.ndarray) -> None:
    """Refuse a label file that was made for other true labels, or the same in another order.

    Args:
        path (Path): The label file.
        sidecar (dict[str, Any], optional): See :func:`read_sidecar`. Without it nothing is checked.
        true_labels (np.ndarray): Labels that the dataset itself has, shape (N,).

    Raises:
        ValueError: The sidecar names another digest.
    """
    if sidecar is not None and sidecar['true_labels_sha256'] != digest(true_labels):
        raise ValueError(
            f'label file {path}: was made for other true labels than those of this dataset, or for another order of '
            f'them, as {sidecar_path(path).name} says'
        )


def check_given(path: Path, sidecar: dict[str, Any] | None, given_labels: np.ndarray) -> None:
    """Refuse a label file whose sidecar tells of other labels: kind, rate and seed in it would be false.

    Args:
        path (Path): The label file.
        sidecar (dict[str, Any], optional): See :func:`read_sidecar`. Without it nothing is checked.
        given_labels (np.ndarray): Labels in the file, shape (N,).

    Raises:
        ValueError: The sidecar names another digest.
    """
    made = None if sidecar is None else sidecar.get('given_labels_sha256')
    if made is not None and made != digest(given_labels):
        raise ValueError(
            f'label file {path}: holds other labels than {sidecar_path(path).name} tells of: has it been changed? '
            'tools/make_noise.py writes both anew; without that file the labels are read as they are'
        )


def check_replaced(path: Path, sidecar: dict[str, Any] | None, pairs: np.ndarray) -> None:
    """Refuse a label file whose sidecar tells of other replaced images.

    Args:
        path (Path): The label file.
        sidecar (dict[str, Any], optional): See :func:`read_sidecar`. Without it nothing is checked, nor is
            what it does not tell: those of earlier releases have the number of pairs alone.
        pairs (np.ndarray): Which images the file replaces by which, shape (R, 2).

    Raises:
        ValueError: The sidecar names another number, or another digest.
    """
    if sidecar is None:
        return
    number, made = sidecar.get('num_replaced'), sidecar.get('open_noise_sha256')
    if number in (None, len(pairs)) and made in (None, digest(pairs)):
        return
    told = 'others' if number in (None, len(pairs)) else str(number)
    raise ValueError(
        f'label file {path}: its open_noise replaces {len(pairs)} images, and {sidecar_path(path).name} tells of '
        f'{told}: has it been changed? tools/make_noise.py writes both anew; without that file they are taken as they '
        'are'
    )


def check_other_images(path: Path, sidecar: dict[str, Any] | None, num_others: int, labels: np.ndarray | None) -> None:
    """Refuse a label file whose images were taken from another dataset, or from the same in another order.

    Args:
        path (Path): The label file.
        sidecar (dict[str, Any], optional): See :func:`read_sidecar`. Without it nothing is checked, nor is
            what it does not tell.
        num_others (int): Number of images of the other dataset.
        labels (np.ndarray, optional): Labels of the other dataset, shape (M,); None where it has none.

    Raises:
        ValueError: The sidecar names another number, or another digest.
    """
    if sidecar is None:
        return
    number, made = sidecar.get('open_set_num_samples'), sidecar.get('open_set_labels_sha256')
    if number not in (None, num_others):
        told = f'{number} images, and open_set.dataset has {num_others}'
    elif made is not None and labels is not None and made != digest(labels):
        told = f'{num_others} images, too, but other labels than open_set.dataset, or these in another order'
    else:
        return
    raise ValueError(
        f'label file {path}: its open_noise names images of another data set, which had {told}, as '
        f'{sidecar_path(path).name} says: set open_set.dataset to the one that the file was made with'
    )
