# SPDX-License-Identifier: Apache-2.0
"""What heads keep of each training sample: tables with a row for each."""

from collections.abc import Callable, Iterator

import torch
from mmpretrain.structures import DataSample
from torch import Tensor, nn

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


class RemembersSamples:
    """Part of a head that renews a row of its own for each sample; :class:`SampleStateHook` looks after them.

    The head sets ``state_columns`` and reads and writes rows of ``sample_state``.

    Attributes:
        sample_state (Tensor, optional): The table, float32, shape (N, C). A plain attribute, like the
            next: neither checkpoints nor EMAHook take them along.
        sample_seen (Tensor, optional): Rows changed since processes last shared them, bool, shape (N,).
    """

    parameters: Callable[[], Iterator[nn.Parameter]]  # of the head
    num_classes: int
    state_columns: int
    sample_state: Tensor | None = None
    sample_seen: Tensor | None = None

    def set_sample_state(self, num_samples: int, state: Tensor | None = None) -> None:
        """Begin with an empty table, or take one over.

        Args:
            num_samples (int): Number N of training samples.
            state (Tensor, optional): The table, shape (N, C). Defaults to None, for zeros.

        Raises:
            ValueError: If the table has another shape.
        """
        shape, device = (num_samples, self.state_columns), next(self.parameters()).device
        state = torch.zeros(shape) if state is None else state
        if state.shape != shape:
            raise ValueError(
                f'what {type(self).__name__} remembers must have shape {shape}, for {num_samples} samples and '
                f'{self.num_classes} classes, got {tuple(state.shape)}'
            )
        self.sample_state = state.to(device, torch.float32)
        self.sample_seen = torch.zeros(num_samples, dtype=torch.bool, device=device)

    def _rows_of(self, data_samples: SampleBatch | list[DataSample]) -> Tensor:
        """Rows of a batch, which count as changed from now on."""
        if self.sample_state is None or self.sample_seen is None:
            raise RuntimeError(
                f'{type(self).__name__} has no table of samples: the hook is missing. Add '
                "dict(type='SampleStateHook') to custom_hooks of the config"
            )
        rows = rows_of(self.sample_state, data_samples, 'SampleStateHook')
        self.sample_seen[rows] = True
        return rows


class CountsEpochs:
    """Part of a head that changes with the epochs; the hooks tell it which one begins.

    Attributes:
        warmup_epochs (int): Number of epochs that trust the given labels; the head sets it.
        epoch (int): Number of epochs that have been trained.
    """

    warmup_epochs: int
    epoch: int = 0

    def start_epoch(self, epoch: int) -> None:
        """Say which epoch begins, counted from 0."""
        self.epoch = epoch

    @property
    def in_warmup(self) -> bool:
        """bool: Whether the given labels are the targets."""
        return self.epoch < self.warmup_epochs


class TrustsLabels(CountsEpochs):
    """Part of a head that trusts all labels in a warm-up, and then as far as :class:`LabelNoiseHook` says.

    Attributes:
        clean_prob (Tensor, optional): Clean probability of each training sample, shape (N,). A plain
            attribute: a checkpoint loads whatever N was. :class:`LabelNoiseHook` saves it beside the weights.
        detector_hint (str): Detector that the message on a missing hook proposes.
    """

    parameters: Callable[[], Iterator[nn.Parameter]]  # of the head
    clean_prob: Tensor | None = None
    detector_hint: str = 'OODDetector'

    def _keep_clean_prob(self, clean_prob: Tensor) -> None:
        if clean_prob.ndim != 1:
            raise ValueError(f'clean_prob must have shape (N,), got {tuple(clean_prob.shape)}')
        self.clean_prob = clean_prob.to(next(self.parameters()))

    def clean_prob_of(self, data_samples: SampleBatch | list[DataSample]) -> Tensor:
        """Clean probabilities of a batch.

        Args:
            data_samples (SampleBatch | list[DataSample]): The batch.

        Returns:
            Tensor: Shape (B,).

        Raises:
            RuntimeError: If the hook has told none.
            ValueError: If it has not seen a sample.
        """
        if self.clean_prob is None:
            raise RuntimeError(
                f'{type(self).__name__} has no clean probabilities: the hook is missing. Add custom_hooks = '
                f"[dict(type='LabelNoiseHook', detector=dict(type='{self.detector_hint}'))] to the config"
            )
        return self.clean_prob[rows_of(self.clean_prob, data_samples, 'LabelNoiseHook')]
