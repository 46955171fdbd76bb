# SPDX-License-Identifier: Apache-2.0
"""A linear classifier that is told which labels to trust."""

from mmpretrain.models.heads import LinearClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor

from ...structures import SampleBatch
from ..sample_rows import rows_of


@MODELS.register_module()
class MCorrectionHead(LinearClsHead):
    """Linear classifier of :class:`MCorrection`, which keeps what :class:`LabelNoiseHook` tells.

    Clean probabilities are not in checkpoints: they are a function of weights and training data, and
    the hook finds them out anew before the first epoch of a resumed run.

    Args:
        num_classes (int): Number of classes K.
        in_channels (int): Length of the feature vectors.
        warmup_epochs (int): Number of epochs that trust the given labels. Defaults to 105, of the 300
            of the published schedule.
        **kwargs: Other arguments of ``LinearClsHead``.

    Raises:
        ValueError: If ``warmup_epochs`` is negative.
    """

    def __init__(self, num_classes: int, in_channels: int, warmup_epochs: int = 105, **kwargs) -> None:
        super().__init__(num_classes, in_channels, **kwargs)
        if warmup_epochs < 0:
            raise ValueError(f'warmup_epochs must not be negative, got {warmup_epochs}')
        self.warmup_epochs = warmup_epochs
        # A plain attribute: neither checkpoints nor EMAHook take it along.
        self.clean_prob: Tensor | None = None
        self.epoch = 0

    def start_epoch(self, epoch: int) -> None:
        """Take note of the epoch that begins.

        Args:
            epoch (int): Number of epochs that have been trained.
        """
        self.epoch = epoch

    @property
    def in_warmup(self) -> bool:
        """bool: Whether the given labels are trusted."""
        return self.epoch < self.warmup_epochs

    def set_label_quality(self, clean_prob: Tensor, prototypes: Tensor | None = None) -> None:
        """Take over what noise detection has found.

        Args:
            clean_prob (Tensor): Clean probability of every training sample, by index, shape (N,).
            prototypes (Tensor, optional): Class means, which this head has no use for.

        Raises:
            ValueError: If the shape does not fit.
        """
        if clean_prob.ndim != 1:
            raise ValueError(f'clean_prob must have shape (N,), got {tuple(clean_prob.shape)}')
        self.clean_prob = clean_prob.to(self.fc.weight)

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
                "[dict(type='LabelNoiseHook', detector=dict(type='BetaMixtureDetector'))] to the config"
            )
        return self.clean_prob[rows_of(self.clean_prob, data_samples, 'LabelNoiseHook')]
