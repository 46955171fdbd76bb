# SPDX-License-Identifier: Apache-2.0
"""Pre-activation ResNet for small images."""

from collections.abc import Sequence

import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmpretrain.models.backbones.base_backbone import BaseBackbone
from mmpretrain.registry import MODELS
from torch import Tensor, nn


class PreActBlock(nn.Module):
    """Norm-ReLU-conv3x3, twice, beside a shortcut.

    Args:
        in_channels (int): Channels of the input.
        width (int): Width of the block.
        stride (int): Stride of the first 3x3 convolution.
        norm_cfg (dict): Config of the normalisation.
    """

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int, norm_cfg: dict) -> None:
        super().__init__()
        out_channels = width * self.expansion
        norms, convs = [], []
        for channels, conv in self._layers(in_channels, width, stride):
            norms.append(build_norm_layer(norm_cfg, channels)[1])
            convs.append(conv)
        self.norms, self.convs = nn.ModuleList(norms), nn.ModuleList(convs)
        self.shortcut = None
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    @staticmethod
    def _layers(in_channels: int, width: int, stride: int) -> list[tuple[int, nn.Module]]:
        """Channels to normalise, and the convolution that follows."""
        return [(in_channels, _conv3x3(in_channels, width, stride)), (width, _conv3x3(width, width))]

    def forward(self, x: Tensor) -> Tensor:
        """Apply the block.

        Args:
            x (Tensor): Shape (B, in_channels, H, W).

        Returns:
            Tensor: Shape (B, width * expansion, H / stride, W / stride).
        """
        activated = _relu(self.norms[0](x))
        shortcut = x if self.shortcut is None else self.shortcut(activated)
        out = self.convs[0](activated)
        for norm, conv in zip(self.norms[1:], self.convs[1:], strict=True):
            out = conv(_relu(norm(out)))
        return out + shortcut


class PreActBottleneck(PreActBlock):
    """Norm-ReLU-conv three times (1x1, 3x3, 1x1), beside a shortcut."""

    expansion = 4

    @staticmethod
    def _layers(in_channels: int, width: int, stride: int) -> list[tuple[int, nn.Module]]:
        return [
            (in_channels, nn.Conv2d(in_channels, width, 1, bias=False)),
            (width, _conv3x3(width, width, stride)),
            (width, nn.Conv2d(width, 4 * width, 1, bias=False)),
        ]


def _relu(x: Tensor) -> Tensor:
    # In place: the normalisation before it keeps its input for the backward pass, not its output.
    return F.relu(x, inplace=True)


def _conv3x3(in_channels: int, out_channels: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)


@MODELS.register_module()
class PreActResNet(BaseBackbone):
    """Pre-activation ResNet with a stem for small images (such as CIFAR's 32 x 32).

    The network of the paper, and of most work on label noise: a 3x3 stem of stride 1 with
    normalisation and ReLU, four stages, and a last normalisation and ReLU before pooling. It ends
    with ``8 * base_channels`` channels (times 4 from depth 50 on), at an eighth of the image's
    height and width.

    He et al.: Identity Mappings in Deep Residual Networks, https://arxiv.org/abs/1603.05027

    Args:
        depth (int): 18, 34, 50, 101 or 152.
        in_channels (int): Channels of the image. Defaults to 3.
        base_channels (int): Width of the first stage. Defaults to 64.
        stem_stride (int): Stride of the stem. 2 takes a quarter of the time. Defaults to 1.
        out_indices (Sequence[int]): Stages to return, 0 to 3; negative ones count from the end.
            Only the last stage's output is normalised and activated. Defaults to (3, ).
        norm_cfg (dict): Config of the normalisation. Defaults to ``dict(type='BN')``.
        norm_eval (bool): Whether normalisation keeps to its running statistics while training.
            Defaults to False.
        init_cfg (dict | list[dict], optional): Initialisation.

    Raises:
        ValueError: If there is no such depth or stage.

    Example:
        >>> backbone = PreActResNet(18)
        >>> backbone(torch.rand(2, 3, 32, 32))[-1].shape
        torch.Size([2, 512, 4, 4])
    """

    arch_settings = {
        18: (PreActBlock, (2, 2, 2, 2)),
        34: (PreActBlock, (3, 4, 6, 3)),
        50: (PreActBottleneck, (3, 4, 6, 3)),
        101: (PreActBottleneck, (3, 4, 23, 3)),
        152: (PreActBottleneck, (3, 8, 36, 3)),
    }

    def __init__(
        self,
        depth: int,
        in_channels: int = 3,
        base_channels: int = 64,
        stem_stride: int = 1,
        out_indices: Sequence[int] = (3,),
        norm_cfg: dict = dict(type='BN'),  # noqa: B006  read only
        norm_eval: bool = False,
        init_cfg: dict | Sequence[dict] | None = (
            dict(type='Kaiming', layer=['Conv2d']),
            dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm']),
        ),
    ) -> None:
        super().__init__(list(init_cfg) if isinstance(init_cfg, tuple) else init_cfg)
        if depth not in self.arch_settings:
            raise ValueError(f'depth must be one of {sorted(self.arch_settings)}, got {depth}')
        if any(not -4 <= index <= 3 for index in out_indices):
            raise ValueError(f'out_indices must lie in -4..3, got {tuple(out_indices)}')
        self.out_indices = {index % 4 for index in out_indices}
        self.norm_eval = norm_eval
        block, counts = self.arch_settings[depth]

        self.stem = _conv3x3(in_channels, base_channels, stem_stride)
        self.stem_norm = build_norm_layer(norm_cfg, base_channels)[1]
        stages, channels = [], base_channels
        for index, count in enumerate(counts):
            width, blocks = base_channels * 2**index, []
            for position in range(count):
                stride = 2 if index > 0 and position == 0 else 1
                blocks.append(block(channels, width, stride, norm_cfg))
                channels = width * block.expansion
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.out_channels = channels
        self.last_norm = build_norm_layer(norm_cfg, channels)[1]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of the wanted stages.

        Args:
            x (Tensor): Images, shape (B, in_channels, H, W).

        Returns:
            tuple[Tensor, ...]: Stage i has shape (B, C_i, H / 2^i, W / 2^i) after a stem of stride 1.
        """
        x = _relu(self.stem_norm(self.stem(x)))
        outs = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in self.out_indices:
                outs.append(_relu(self.last_norm(x)) if index == 3 else x)
        return tuple(outs)

    def train(self, mode: bool = True) -> 'PreActResNet':
        """Switch between training and evaluation, minding ``norm_eval``."""
        super().train(mode)
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self
