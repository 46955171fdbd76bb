# SPDX-License-Identifier: Apache-2.0
"""Tables with a row for each training sample."""

from mmpretrain.structures import DataSample
from torch import Tensor

from ..structures import SampleBatch, indices_of, to_device


def rows_of(table: Tensor, data_samples: SampleBatch | list[DataSample], what: str) -> Tensor:
    """Indices of a batch's samples in a table, checked.

    Args:
        table (Tensor): One row for each training sample, shape (N, ...).
        data_samples (SampleBatch | list[DataSample]): The batch.
        what (str): Who has made the table, for the message.

    Returns:
        Tensor: Indices, int64, on the device of the table, shape (B,).

    Raises:
        ValueError: If a sample has no index, or one that the table has not.
    """
    index = indices_of(data_samples)
    # Looked at on the host, which knows the indices: asking the device would wait for it.
    outside = index[(index < 0) | (index >= len(table))]
    if len(outside):
        raise ValueError(f'sample_idx {int(outside[0])} lies outside the {len(table)} samples that {what} has seen')
    return to_device(index, table.device)
