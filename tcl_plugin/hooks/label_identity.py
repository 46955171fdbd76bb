# SPDX-License-Identifier: Apache-2.0
"""Which labels and images what is saved of each sample belongs to."""

from typing import Any

from ..datasets.sidecar import digest


def identity_of(dataset: Any) -> dict[str, str | None]:
    """What tells a training set from one whose rows mean something else.

    Open-set noise leaves given labels as they are, and puts in other images.

    Args:
        dataset (Dataset): The training set, a :class:`NoisyLabelDataset`.

    Returns:
        dict[str, str | None]: Digests, to be saved.
    """
    return dict(given_labels=digest(dataset.given_labels), replaced_images=getattr(dataset, 'replaced_digest', None))


def what_differs(saved: dict, dataset: Any) -> str | None:
    """What is no longer as it was.

    Args:
        saved (dict): What :func:`identity_of` gave. Checkpoints of earlier releases may lack entries, which then
            count as the same.
        dataset (Dataset): The training set.

    Returns:
        str, optional: Its name, for a message.
    """
    names = dict(given_labels='the given labels', replaced_images='the images of open_set')
    now = identity_of(dataset)
    return next((name for key, name in names.items() if saved.get(key) not in (None, now[key])), None)
