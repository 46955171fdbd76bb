# SPDX-License-Identifier: Apache-2.0
"""Classifier, projector, prototypes and losses of TCL."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from mmpretrain.models.heads import ClsHead
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from ...structures import SampleBatch, labels_of
from ..losses import correct_labels, entropy_regularization, info_nce, soft_cross_entropy
from ..sample_rows import TrustsLabels
from ..utils import Mixing


@MODELS.register_module()
class TCLHead(TrustsLabels, ClsHead):
    r"""Head of :class:`TCL`.

    - *Classifier* g: Linear-BN-ReLU-Dropout-Linear-BN. Its output are the logits.
    - *Projector* f: Linear-BN-ReLU-Linear-BN, brought to unit length.
    - *Prototypes* :math:`\mu_k` and *clean probabilities* :math:`w_i`, which
      :class:`LabelNoiseHook` renews each epoch by :meth:`set_clean_prob`. Prototypes are among
      the weights of a checkpoint. Clean probabilities are not, since weights must load whatever
      the number of training samples was: the hook keeps them beside the weights.

    The loss is (paper, Eq. 11)

    .. math:: L = L_{cross} + L_{ctr} + L_{reg} + L_{align}

    During warm-up the given labels themselves are the targets.

    Args:
        num_classes (int): Number of classes K.
        in_channels (int): Length of the backbone's (or neck's) feature vectors.
        hid_channels (int, optional): Hidden width of classifier and projector. Defaults to None,
            for ``in_channels``.
        feat_dim (int): Length D of the projections. Defaults to 256.
        dropout (float): Dropout probability in the classifier. Defaults to 0.25.
        temperature (float): :math:`\tau` of contrast and prototype logits. Defaults to 0.25. The published code has
            one number for these and for the posterior of the detection, which here is ``sigma`` of
            :class:`OODDetector`: to change it as there, change both.
        proto_temperature (float, optional): Another one for the prototype logits. Defaults to
            None, for ``temperature``.
        warmup_epochs (int): Number of epochs that trust the given labels. Defaults to 19 (the
            published configuration says 20, and counts epochs from 1 up to the 19th).
        scale_cross (float, optional): Factor of :math:`w_i` in the targets of cross-supervision; 1
            is the formula as printed. Defaults to None, for the estimated share of clean labels,
            as in the published code.
        scale_mix (float, optional): The same for the targets of mixed views. Defaults to None.
        cross_weight (float): Weight of :math:`L_{cross}`. Defaults to 1.0.
        contrast_weight (float): Weight of :math:`L_{ctr}`. Defaults to 1.0.
        entropy_weight (float): Weight of :math:`L_{reg}`. Defaults to 1.0.
        align_cls_weight (float): Weight of the classifier's term of :math:`L_{align}`. Defaults
            to 1.0.
        align_proto_weight (float): Weight of the prototypes' term of :math:`L_{align}`. Defaults
            to 1.0.
        **kwargs: Other arguments of ``ClsHead``. Of these ``loss`` is for the second stage alone,
            :class:`TCLPlus`, and ``cal_acc`` has no effect: images are mixed.

    Raises:
        ValueError: If a temperature is not positive, a scale lies outside [0, 1], or ``warmup_epochs`` is negative.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        hid_channels: int | None = None,
        feat_dim: int = 256,
        dropout: float = 0.25,
        temperature: float = 0.25,
        proto_temperature: float | None = None,
        warmup_epochs: int = 19,
        scale_cross: float | None = None,
        scale_mix: float | None = None,
        cross_weight: float = 1.0,
        contrast_weight: float = 1.0,
        entropy_weight: float = 1.0,
        align_cls_weight: float = 1.0,
        align_proto_weight: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.temperature = temperature
        self.proto_temperature = temperature if proto_temperature is None else proto_temperature
        if not (self.temperature > 0 and self.proto_temperature > 0):
            raise ValueError(f'temperatures must be positive, got {temperature} and {self.proto_temperature}')
        for name, scale in [('scale_cross', scale_cross), ('scale_mix', scale_mix)]:
            if scale is not None and not 0 <= scale <= 1:
                raise ValueError(f'{name} must be None or lie in [0, 1], got {scale}')
        if warmup_epochs < 0:
            raise ValueError(f'warmup_epochs must not be negative, got {warmup_epochs}')
        self.warmup_epochs = warmup_epochs
        self.scale_cross = scale_cross
        self.scale_mix = scale_mix
        self.cross_weight = cross_weight
        self.contrast_weight = contrast_weight
        self.entropy_weight = entropy_weight
        self.align_cls_weight = align_cls_weight
        self.align_proto_weight = align_proto_weight

        hidden = in_channels if hid_channels is None else hid_channels
        self.classifier = nn.Sequential(
            nn.Linear(in_channels, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(hidden, num_classes),
            nn.BatchNorm1d(num_classes),
        )
        self.projector = nn.Sequential(
            nn.Linear(in_channels, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(inplace=True),
            nn.Linear(hidden, feat_dim),
            nn.BatchNorm1d(feat_dim),
        )
        self.register_buffer('prototypes', torch.zeros(num_classes, feat_dim))
        self.clean_share = 1.0

    # What the rest of the world asks for

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Features of the last stage.

        Args:
            feats (tuple[Tensor, ...]): Features of the stages; the last one has shape (B, C).

        Returns:
            Tensor: Shape (B, C).

        Raises:
            ValueError: If it is a feature map, or several tensors, not a vector for each image.
        """
        feat = feats[-1]
        if not isinstance(feat, Tensor):
            kind = f'a {type(feat).__name__} of {len(feat)}' if isinstance(feat, Sequence) else type(feat).__name__
            raise ValueError(
                f'TCLHead needs one vector for each image, got {kind} from the last stage: choose a backbone that '
                'gives one tensor, such as VisionTransformer'
            )
        if feat.ndim != 2:
            raise ValueError(
                f'TCLHead needs one vector for each image, got features of shape {tuple(feat.shape)}: '
                f'add {self._missing_neck(feat)} to the model'
            )
        return feat

    def _missing_neck(self, feat: Tensor) -> str:
        """Which neck makes vectors of these features."""
        tokens, positions = "neck=dict(type='TokenPooling')", "neck=dict(type='GlobalAveragePooling', dim=1)"
        fits = [size == self.classifier[0].in_features for size in feat.shape[1:]]
        if feat.ndim != 3:
            # Channels last, as those of timm's Swin transformers, whose tokens lie in a plane.
            last = feat.ndim == 4 and fits[-1] and not fits[0]
            return (
                "neck=dict(type='TokenPooling', channels_last=True)"
                if last
                else "neck=dict(type='GlobalAveragePooling')"
            )
        if fits == [False, True]:
            return tokens
        if fits == [True, False]:
            return positions
        return f'{tokens} (for features of shape (B, T, C)) or {positions} (for (B, C, N))'

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Logits, shape (B, K)."""
        return self.classifier(self.pre_logits(feats))

    def project(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Unit-length projections, float32, shape (B, D)."""
        return F.normalize(self.projector(self.pre_logits(feats)).float(), dim=1)

    # What the hook tells

    def set_clean_prob(self, clean_prob: Tensor, prototypes: Tensor | None = None) -> None:
        r"""Take over what noise detection has found.

        Args:
            clean_prob (Tensor): :math:`w_i` of every training sample, by sample index, shape (N,).
            prototypes (Tensor, optional): Unit-length class means, shape (K, D). Defaults to None,
                which leaves them as they are.

        Raises:
            ValueError: If shapes do not fit.
        """
        self._keep_clean_prob(clean_prob)
        if prototypes is not None:
            if prototypes.shape != self.prototypes.shape:
                raise ValueError(
                    f'prototypes must have shape {tuple(self.prototypes.shape)}, got {tuple(prototypes.shape)}'
                )
            self.prototypes.copy_(prototypes)
        self.clean_share = (clean_prob > 0.5).double().mean().item()

    # Losses

    def loss(
        self,
        feats: tuple[Tensor, ...],
        data_samples: SampleBatch | list[DataSample],
        mixing: Mixing,
        contrast: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """Losses of one training step.

        Args:
            feats (tuple[Tensor, ...]): Features of two strong views and the mixed views stacked,
                the last one of shape (5B, C). Those of other images may stand before them, which
                enter no loss but the batch statistics.
            data_samples (SampleBatch | list[DataSample]): Given label and ``sample_idx`` of the B
                images.
            mixing (Mixing): How the weak and strong views, 3B, were mixed.
            contrast (Callable, optional): Makes a scalar of the projections of the two strong
                views, (B, D) each. Defaults to None, for :func:`info_nce`.

        Returns:
            dict[str, Tensor]: ``loss_cross``, ``loss_contrast``, ``loss_entropy``,
            ``loss_align_cls`` and ``loss_align_proto``, weighted.

        Raises:
            RuntimeError: If nobody has called :meth:`set_clean_prob`.
            ValueError: If samples have no index, or one outside the table of clean probabilities.
        """
        batch = len(data_samples)
        logits = self(feats).float()[-5 * batch :]
        projections = self.project(feats)[-5 * batch :]
        logits1, logits2 = logits[: 2 * batch].chunk(2)
        strong1, strong2 = projections[: 2 * batch].chunk(2)
        # Small, and full of sums and logarithms: not in half precision.
        with torch.autocast(logits.device.type, enabled=False):
            return self.loss_from_outputs(
                (logits1, logits2),
                logits[2 * batch :],
                (strong1, strong2),
                projections[2 * batch :],
                self.targets((logits1, logits2), data_samples),
                mixing,
                contrast,
            )

    def loss_from_outputs(
        self,
        logits_strong: tuple[Tensor, Tensor],
        logits_mix: Tensor,
        proj_strong: tuple[Tensor, Tensor],
        proj_mix: Tensor,
        targets: tuple[Tensor, Tensor, Tensor],
        mixing: Mixing,
        contrast: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """The losses as formulas (paper, Eqs. 1, 6 and 8 to 11).

        Args:
            logits_strong (tuple[Tensor, Tensor]): Logits of the two strong views, (B, K) each.
            logits_mix (Tensor): Logits of the mixed views, shape (3B, K).
            proj_strong (tuple[Tensor, Tensor]): Projections of the strong views, (B, D) each.
            proj_mix (Tensor): Projections of the mixed views, shape (3B, D).
            targets (tuple[Tensor, Tensor, Tensor]): See :meth:`targets`.
            mixing (Mixing): How the 3B views were mixed.
            contrast (Callable, optional): See :meth:`loss`. Defaults to None.

        Returns:
            dict[str, Tensor]: The weighted terms, see :meth:`loss`.
        """
        contrast = partial(info_nce, temperature=self.temperature) if contrast is None else contrast
        logits1, logits2 = logits_strong
        target1, target2, target_mean = targets
        cross = soft_cross_entropy(logits1, target1) + soft_cross_entropy(logits2, target2)

        target_mix = mixing(target_mean.repeat(3, 1))
        proto_logits = proj_mix @ self.prototypes.t() / self.proto_temperature
        confident, spread = entropy_regularization(torch.cat([logits1, logits2, logits_mix]))
        return dict(
            loss_cross=self.cross_weight * cross,
            loss_contrast=self.contrast_weight * contrast(*proj_strong),
            loss_entropy=self.entropy_weight * (confident + spread),
            loss_align_cls=self.align_cls_weight * soft_cross_entropy(logits_mix, target_mix),
            loss_align_proto=self.align_proto_weight * soft_cross_entropy(proto_logits, target_mix),
        )

    def targets(
        self, logits_strong: tuple[Tensor, Tensor], data_samples: SampleBatch | list[DataSample]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Given labels as far as they are trusted, and guesses for the rest (paper, Eq. 7).

        Args:
            logits_strong (tuple[Tensor, Tensor]): Logits of the two strong views, (B, K) each.
            data_samples (SampleBatch | list[DataSample]): See :meth:`loss`.

        Returns:
            tuple[Tensor, Tensor, Tensor]: Targets of the first view, the second view and the mixed views before
            mixing, (B, K) each.
        """
        labels, clean_prob = labels_of(data_samples, logits_strong[0].device), self.clean_prob_of(data_samples)
        scale_cross, scale_mix = self.scale_cross, self.scale_mix
        if self.in_warmup:
            clean_prob, scale_cross, scale_mix = torch.ones_like(clean_prob), 1.0, 1.0
        scale_cross = self.clean_share if scale_cross is None else scale_cross
        scale_mix = self.clean_share if scale_mix is None else scale_mix
        guess1, guess2, guess_mix = self.guess(logits_strong, data_samples)
        return (
            correct_labels(labels, clean_prob, guess1, scale_cross),
            correct_labels(labels, clean_prob, guess2, scale_cross),
            correct_labels(labels, clean_prob, guess_mix, scale_mix),
        )

    def guess(
        self, logits_strong: tuple[Tensor, Tensor], data_samples: SampleBatch | list[DataSample]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What takes the place of labels that are not trusted: each view is taught by the other (paper, section 3.3).

        Args:
            logits_strong (tuple[Tensor, Tensor]): Logits of the two strong views, (B, K) each.
            data_samples (SampleBatch | list[DataSample]): The batch, for heads that remember it.

        Returns:
            tuple[Tensor, Tensor, Tensor]: Probabilities for the first view, the second view and the
            mixed views before mixing, (B, K) each.
        """
        prob1, prob2 = (logits.softmax(dim=1) for logits in logits_strong)
        return prob2, prob1, (prob1 + prob2) / 2
