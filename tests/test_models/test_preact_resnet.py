# SPDX-License-Identifier: Apache-2.0
"""The pre-activation ResNet has the layers that its papers say, at every depth."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tcl_plugin.models import PreActResNet


def outputs(backbone, channels=3):
    with torch.no_grad():
        return [tuple(out.shape) for out in backbone.eval()(torch.rand(2, channels, 16, 16))]


@pytest.mark.parametrize(
    ('depth', 'widths', 'num_blocks', 'convs_each'),
    [
        (18, (2, 4, 8, 16), 8, 2),
        (34, (2, 4, 8, 16), 16, 2),
        (50, (8, 16, 32, 64), 16, 3),
        (101, (8, 16, 32, 64), 33, 3),
        (152, (8, 16, 32, 64), 50, 3),
    ],
)
def test_shapes(depth, widths, num_blocks, convs_each):
    backbone = PreActResNet(depth, base_channels=2, out_indices=(0, 1, 2, 3))
    sizes = (16, 8, 4, 2)
    assert outputs(backbone) == [(2, width, size, size) for width, size in zip(widths, sizes, strict=True)]
    assert backbone.out_channels == widths[-1]
    # The name counts the classifier, but not the 1x1 convolutions of shortcuts.
    assert num_blocks * convs_each + 2 == depth
    shortcuts = 3 if convs_each == 2 else 4
    convs = [module for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    assert len(convs) == 1 + num_blocks * convs_each + shortcuts


def test_number_of_parameters():
    """Depth 18 counted by hand: convolutions without bias, and two numbers for each channel of a normalisation."""
    stem = 3 * 64 * 9 + 2 * 64
    first_stage = 4 * (64 * 64 * 9) + 4 * 2 * 64
    stages = sum(
        # two blocks of two convolutions, the first of which doubles the channels, and a 1x1 shortcut
        (c * 2 * c * 9) + 3 * (2 * c * 2 * c * 9) + c * 2 * c + 2 * c + 3 * 2 * (2 * c)
        for c in (64, 128, 256)
    )
    last_norm = 2 * 512
    found = sum(parameter.numel() for parameter in PreActResNet(18).parameters())
    assert found == stem + first_stage + stages + last_norm == 11_167_168


def test_options():
    assert outputs(PreActResNet(18, in_channels=1, base_channels=3), channels=1) == [(2, 24, 2, 2)]
    assert outputs(PreActResNet(18, base_channels=2, out_indices=(0, -1))) == [(2, 2, 16, 16), (2, 16, 2, 2)]
    norm = PreActResNet(18, base_channels=4, norm_cfg=dict(type='GN', num_groups=2))
    kinds = {type(module) for module in norm.modules()}
    assert nn.GroupNorm in kinds and nn.BatchNorm2d not in kinds


def test_block_is_pre_activated():
    """The first block, and one that shrinks, written out."""
    backbone = PreActResNet(18, base_channels=2).eval()
    x = torch.randn(2, 2, 8, 8)

    def path(block, x):
        activated = F.relu(block.norms[0](x))
        return activated, block.convs[1](F.relu(block.norms[1](block.convs[0](activated))))

    block = backbone.stages[0][0]
    torch.testing.assert_close(block(x), x + path(block, x)[1])
    block = backbone.stages[1][0]
    activated, out = path(block, x)
    torch.testing.assert_close(block(x), block.shortcut(activated) + out)


def test_only_the_last_output_is_activated():
    *early, last = PreActResNet(18, base_channels=2, out_indices=(0, 1, 2, 3))(torch.randn(2, 3, 8, 8))
    assert all(feature.min() < 0 for feature in early) and last.min() == 0


def test_norm_eval():
    for norm_eval in (True, False):
        backbone = PreActResNet(18, base_channels=2, norm_eval=norm_eval).train()
        modes = {module.training for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)}
        assert modes == {not norm_eval} and backbone.training
        assert backbone.stem.training


def test_gradient_reaches_every_parameter():
    backbone = PreActResNet(50, base_channels=2)
    backbone.init_weights()
    out = backbone(torch.randn(4, 3, 16, 16))[-1]
    (out * torch.randn_like(out)).sum().backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_refusals():
    with pytest.raises(ValueError, match=r'depth must be one of \[18, 34, 50, 101, 152\], got 20'):
        PreActResNet(20)
    for index in (4, -5):
        with pytest.raises(ValueError, match=r'out_indices must lie in -4\.\.3'):
            PreActResNet(18, out_indices=(index,))
