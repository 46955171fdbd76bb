# SPDX-License-Identifier: Apache-2.0
"""How to train on so many images with such a machine: plain rules, and nothing that looks at anything itself.

docs/datasets.md tells these rules to people.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: Batch size that ``lr`` is meant for, which is not exceeded: five views of each image are enough work for a GPU.
BATCH_SIZE = 32
#: An epoch has at least so many steps, if need be in smaller batches.
FEWEST_STEPS = 8
SMALLEST_BATCH = 4
#: What the backward pass needs may take up this share of free memory.
MEMORY_SHARE = 0.5
#: Images that a training draws in all, where that makes neither too many epochs nor too few.
DRAWN_IMAGES = 150_000
EPOCHS = (15, 100)
FEWEST_EPOCHS_IN_HASTE = 10
#: Pixels on a side; smaller ones only where the network has no GPU and time is short.
IMAGE_SIZES = (224, 160, 112)
#: Passes of detection and validation, as a share of the steps: one forward pass beside five, forward and backward.
OTHER_PASSES = 0.1


@dataclass
class Facts:
    """What the choice depends on.

    Attributes:
        num_train (int): Images to train on.
        device (str): ``'cuda'``, ``'cpu'`` or another type of device.
        cores (int): CPU cores for each process. Defaults to 1.
        processes (int): Defaults to 1.
        free_bytes (int, optional): Memory for each process. Defaults to None, unknown.
        tried_size (int): Pixels on a side at which the next were measured. Defaults to 224.
        sample_bytes (float): Memory that each image of a batch takes. Defaults to 0.
        model_bytes (int): Size of the network. Defaults to 0.
        seconds (float, optional): Of a step for each image; None on a GPU, where a step on a few images does not
            tell. Defaults to None.
    """

    num_train: int
    device: str
    cores: int = 1
    processes: int = 1
    free_bytes: int | None = None
    tried_size: int = IMAGE_SIZES[0]
    sample_bytes: float = 0.0
    model_bytes: int = 0
    seconds: float | None = None

    def seconds_at(self, size: int) -> float | None:
        """Seconds of a step for each image of another size: they go with the number of pixels."""
        return None if self.seconds is None else self.seconds * (size / self.tried_size) ** 2

    def hours(self, epochs: int, size: int) -> float | None:
        """Hours of a training."""
        seconds = self.seconds_at(size)
        return seconds and epochs * self.num_train * seconds * (1 + OTHER_PASSES) / self.processes / 3600


@dataclass
class Choice:
    """What was chosen.

    Attributes:
        values (dict[str, Any]): Values by name.
        notes (list[str]): What a person would want to know.
    """

    values: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def choose(facts: Facts, fixed: Mapping[str, Any], lr: float, max_hours: float) -> Choice:
    """Choose how to train.

    Args:
        facts (Facts): What the choice depends on.
        fixed (Mapping[str, Any]): What a person has chosen: any of ``image_size``, ``batch_size``, ``max_epochs``,
            ``warmup_epochs``, ``lr`` and ``num_workers``. Everything else suits it.
        lr (float): Learning rate for :data:`BATCH_SIZE` images.
        max_hours (float): Where a step was timed, images and then epochs are fewer if it takes longer than that.

    Returns:
        Choice: Values for each name that a config may leave open.

    Raises:
        ValueError: If the batches have more images than there are.
    """
    most = fit_epochs(facts.num_train)
    size = fixed.get('image_size') or fit_image_size(facts, fixed.get('max_epochs') or most, max_hours)
    batch = fixed.get('batch_size') or fit_batch_size(facts, size)
    epochs = fixed.get('max_epochs') or fit_epochs(facts.num_train, facts.hours(1, size), max_hours)
    if batch * facts.processes > facts.num_train:
        raise ValueError(
            f'{facts.num_train} images to train on are fewer than a batch of {batch * facts.processes}: '
            'give more images, or a smaller train_dataloader.batch_size'
        )
    total = batch * facts.processes
    values = dict(
        image_size=size,
        resize_edge=round(size * 8 / 7),
        batch_size=batch,
        val_batch_size=4 * batch,
        total_batch_size=total,
        max_epochs=epochs,
        warmup_epochs=fixed.get('warmup_epochs', max(1, epochs // 10)),
        lr=fixed.get('lr', lr * total / BATCH_SIZE),
        num_workers=fixed.get('num_workers', fit_workers(facts)),
    )
    return Choice(values, _time(facts, epochs, size, max_hours))


def fit_image_size(facts: Facts, epochs: int, max_hours: float) -> int:
    """The largest of :data:`IMAGE_SIZES` at which training does not take too long, or else the smallest."""
    if facts.seconds is None:
        return IMAGE_SIZES[0]
    hours = {size: facts.hours(epochs, size) or 0.0 for size in IMAGE_SIZES}
    return next((size for size in IMAGE_SIZES if hours[size] <= max_hours), IMAGE_SIZES[-1])


def fit_batch_size(facts: Facts, size: int) -> int:
    """The largest power of two, not above :data:`BATCH_SIZE`, that memory and the number of images allow."""
    images = facts.num_train // facts.processes
    limits = [BATCH_SIZE, max(images // FEWEST_STEPS, min(SMALLEST_BATCH, images))]
    if facts.free_bytes is not None and facts.sample_bytes:
        # Parameters, gradients and momentum.
        free = facts.free_bytes * MEMORY_SHARE - 3 * facts.model_bytes
        limits.append(int(free / (facts.sample_bytes * (size / facts.tried_size) ** 2)))
    # Batch normalisation needs two.
    return max(2, 1 << (max(1, min(limits)).bit_length() - 1))


def fit_epochs(num_train: int, epoch_hours: float | None = None, max_hours: float = 0.0) -> int:
    """Epochs that draw :data:`DRAWN_IMAGES`, within :data:`EPOCHS`, and no more than there is time for.

    Args:
        num_train (int): Images to train on.
        epoch_hours (float, optional): Hours of an epoch. Defaults to None, unknown.
        max_hours (float): Hours for all. :data:`FEWEST_EPOCHS_IN_HASTE` are made anyway. Defaults to 0.

    Returns:
        int: Number of epochs; fewer for want of time in fives, as times differ from one measurement to the next.
    """
    fewest, most = EPOCHS
    epochs = min(max(round(DRAWN_IMAGES / num_train), fewest), most)
    if not epoch_hours or epochs * epoch_hours <= max_hours:
        return epochs
    return max(int(max_hours / epoch_hours) // 5 * 5, FEWEST_EPOCHS_IN_HASTE)


def fit_workers(facts: Facts) -> int:
    """Processes that read images: a network on the CPU leaves them little to do, and needs the cores itself."""
    if facts.device == 'cuda':
        return min(8, max(1, facts.cores - 1))
    return 2 if facts.cores >= 4 else 0


def _time(facts: Facts, epochs: int, size: int, max_hours: float) -> list[str]:
    """What is known of the time that it will take."""
    hours = facts.hours(epochs, size)
    if hours is None:
        return []
    told = f'about {math.ceil(60 * hours)} min' if hours < 2 else f'about {hours:.0f} hours'
    notes = [
        f'estimated time on {facts.device}: {told} ({facts.seconds_at(size):.2g} s for an image and epoch, from one '
        'step); the eta in the log is better'
    ]
    if hours > max_hours:
        notes.append(
            f'that is longer than auto_setup.max_hours={max_hours:g}: a GPU, a smaller network, fewer images, '
            'train_cfg.max_epochs or image_size would shorten it'
        )
    return notes
