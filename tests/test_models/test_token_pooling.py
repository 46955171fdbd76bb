# SPDX-License-Identifier: Apache-2.0
"""Tokens of a transformer become one vector for each image."""

import pytest
import torch
from mmpretrain.registry import MODELS


@pytest.fixture
def tokens():
    return torch.arange(24.0).view(2, 4, 3)


def build(**options):
    return MODELS.build(dict(type='TokenPooling', **options))


def test_class_token_or_mean_of_the_patches(tokens):
    assert torch.equal(build()((tokens,))[0], tokens[:, 0])
    assert torch.equal(build(pool='mean')((tokens, tokens))[1], tokens[:, 1:].mean(dim=1))
    assert torch.equal(build(pool='mean', num_prefix_tokens=0)((tokens,))[0], tokens.mean(dim=1))


@pytest.mark.parametrize(
    'options', [dict(pool='max'), dict(num_prefix_tokens=0), dict(pool='mean', num_prefix_tokens=-1)]
)
def test_what_cannot_be_pooled(options):
    with pytest.raises(ValueError, match='pool'):
        build(**options)


@pytest.mark.parametrize('shape', [(2, 3), (2, 1, 3), (2, 3, 4, 4)])
def test_features_that_are_no_tokens(shape):
    with pytest.raises(ValueError, match=r'needs features of shape \(B, T, C\) with more than 1 tokens, got \(2, '):
        build()((torch.zeros(shape),))


@pytest.mark.parametrize('pool', ['cls', 'mean'])
def test_patches_in_a_plane(pool):
    feats = torch.arange(48.0).view(2, 2, 4, 3)
    neck = build(pool=pool, channels_last=True)
    assert torch.equal(neck((feats,))[0], feats.flatten(1, 2).mean(dim=1))
    with pytest.raises(ValueError, match=r'needs features of shape \(B, H, W, C\), got \(2, 8, 3\)'):
        neck((feats.flatten(1, 2),))


def test_a_network_of_timm_with_channels_last():
    pytest.importorskip('timm')
    options = dict(img_size=16, patch_size=2, window_size=2, embed_dim=8, depths=(1, 1), num_heads=(2, 2))
    backbone = dict(type='TIMMBackbone', model_name='swin_tiny_patch4_window7_224', **options)
    head = dict(type='TCLHead', num_classes=3, in_channels=16)
    neck = dict(type='TokenPooling', channels_last=True)
    model = MODELS.build(dict(type='TCL', backbone=backbone, neck=neck, head=head)).eval()
    assert model(torch.zeros(2, 3, 16, 16), mode='tensor').shape == (2, 3)
    model.neck = None
    with pytest.raises(ValueError, match=r"16\): add neck=dict\(type='TokenPooling', channels_last=True\)"):
        model(torch.zeros(2, 3, 16, 16), mode='tensor')


def test_a_network_of_timm():
    pytest.importorskip('timm')
    options = dict(img_size=16, patch_size=8, embed_dim=12, depth=1, num_heads=2)
    backbone = dict(type='TIMMBackbone', model_name='vit_tiny_patch16_224', **options)
    head = dict(type='TCLHead', num_classes=3, in_channels=12)
    model = MODELS.build(dict(type='TCL', backbone=backbone, neck=dict(type='TokenPooling'), head=head)).eval()
    assert model(torch.zeros(2, 3, 16, 16), mode='tensor').shape == (2, 3)
    model.neck = None
    with pytest.raises(ValueError, match=r"shape \(2, 5, 12\): add neck=dict\(type='TokenPooling'\)"):
        model(torch.zeros(2, 3, 16, 16), mode='tensor')
