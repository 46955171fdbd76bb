# SPDX-License-Identifier: Apache-2.0
"""The labels of a batch as two tensors, where a data sample for each image would be too slow."""

from collections.abc import Iterator

import torch
from mmpretrain.structures import DataSample
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a small tensor to a device, without waiting for it.

    Args:
        tensor (Tensor): A tensor, on the CPU or on the device already.
        device (torch.device): The device.

    Returns:
        Tensor: The tensor there.
    """
    if device.type == 'cuda' and tensor.device.type == 'cpu':
        # From other memory the copy would not be asynchronous.
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


class SampleBatch:
    """Given labels and indices of a batch.

    It takes the place of a list of data samples: whoever asks for its length, iterates over it or
    takes an item meets data samples, made on the spot. Whoever knows it, reads the tensors.

    It is no ``Sequence`` to Python, because data preprocessors would take it apart.

    Args:
        gt_label (Tensor): Given labels, int64, shape (B,).
        sample_idx (Tensor): Sample indices, int64, on the CPU, shape (B,).
    """

    def __init__(self, gt_label: Tensor, sample_idx: Tensor) -> None:
        self.gt_label = gt_label
        self.sample_idx = sample_idx

    def __len__(self) -> int:
        return len(self.gt_label)

    def __getitem__(self, item: int) -> DataSample:
        item = range(len(self))[item]
        sample = DataSample(metainfo=dict(sample_idx=int(self.sample_idx[item])))
        # Still a tensor: a single number would be asked for its value, and so wait for the device.
        return sample.set_gt_label(self.gt_label[item : item + 1])

    def as_one_sample(self) -> DataSample:
        """A single data sample with all labels, for those who put the labels of a list end to end."""
        return DataSample().set_gt_label(self.gt_label)

    def __iter__(self) -> Iterator[DataSample]:
        return (self[item] for item in range(len(self)))

    def __repr__(self) -> str:
        return f'{type(self).__name__}({len(self)} samples on {self.gt_label.device})'


def labels_of(samples: SampleBatch | list[DataSample], device: torch.device) -> Tensor:
    """Given labels of a batch.

    Args:
        samples (SampleBatch | list[DataSample]): The batch.
        device (torch.device): Where the labels are wanted.

    Returns:
        Tensor: int64, shape (B,).
    """
    if isinstance(samples, SampleBatch):
        return to_device(samples.gt_label, device)
    return to_device(torch.cat([sample.gt_label for sample in samples]), device)


def indices_of(samples: SampleBatch | list[DataSample]) -> Tensor:
    """Sample indices of a batch.

    Args:
        samples (SampleBatch | list[DataSample]): The batch.

    Returns:
        Tensor: int64, on the CPU, shape (B,).

    Raises:
        ValueError: If the samples carry no index.
    """
    if isinstance(samples, SampleBatch):
        return samples.sample_idx
    if 'sample_idx' not in samples[0]:
        raise ValueError(
            'the training samples have no sample_idx: let PackInputs of the training pipeline keep it in meta_keys'
        )
    return torch.tensor([sample.sample_idx for sample in samples])
