# SPDX-License-Identifier: Apache-2.0
"""Several views are normalised as one view is, and nothing else happens to them."""

import pytest
import torch
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample

from tcl_plugin.models import MultiViewDataPreprocessor

# Three different numbers, so that swapped channels show.
NORM = dict(mean=[120.0, 110.0, 100.0], std=[60.0, 50.0, 40.0], to_rgb=True)


@pytest.fixture
def views():
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (2, 3, 4, 6), generator=generator).byte() for _ in range(3)]


@pytest.fixture
def samples():
    return [DataSample(metainfo=dict(sample_idx=7 + i)).set_gt_label(i) for i in range(2)]


@pytest.mark.parametrize('channels_last', [False, True])
def test_views_equal_the_plain_preprocessor(views, samples, channels_last):
    out = MultiViewDataPreprocessor(**NORM, channels_last=channels_last)(
        dict(inputs=views, data_samples=samples), training=True
    )
    plain = ClsDataPreprocessor(**NORM)
    assert isinstance(out['inputs'], list) and len(out['inputs']) == 3
    for view, found in zip(views, out['inputs'], strict=True):
        torch.testing.assert_close(found, plain(dict(inputs=view))['inputs'], rtol=0, atol=0)
        assert found.is_contiguous(memory_format=torch.channels_last) == channels_last
    assert [(int(s.gt_label), s.sample_idx) for s in out['data_samples']] == [(0, 7), (1, 8)]


def test_views_that_pseudo_collate_leaves_in_lists(views, samples):
    """mmengine's default: V views, each a sequence of B images."""
    preprocessor = MultiViewDataPreprocessor(**NORM)
    expected = preprocessor(dict(inputs=views))['inputs']
    found = preprocessor(dict(inputs=[tuple(view) for view in views], data_samples=samples), training=True)['inputs']
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize('channels_last', [False, True])
def test_one_view_passes_as_ever(views, channels_last):
    preprocessor, plain = MultiViewDataPreprocessor(**NORM, channels_last=channels_last), ClsDataPreprocessor(**NORM)
    # stacked by default_collate, and in a list from pseudo_collate
    for inputs in (views[0], list(views[0])):
        found = preprocessor(dict(inputs=inputs))['inputs']
        torch.testing.assert_close(found, plain(dict(inputs=inputs))['inputs'], rtol=0, atol=0)
        assert found.is_contiguous(memory_format=torch.channels_last) == channels_last


def test_batch_augments_are_for_one_view_only(views, samples):
    preprocessor = MultiViewDataPreprocessor(
        batch_augments=dict(augments=dict(type='Mixup', alpha=1.0)), num_classes=2
    )
    with pytest.raises(ValueError, match=r'batch_augments .* cannot be applied to several views'):
        preprocessor(dict(inputs=views, data_samples=samples), training=True)
    out = preprocessor(dict(inputs=views[0], data_samples=samples), training=True)
    assert out['inputs'].shape == (2, 3, 4, 6) and 'gt_score' in out['data_samples'][0]


def test_views_of_different_size_are_refused(views):
    with pytest.raises(ValueError, match=r'all views must have one shape, got \[\(2, 3, 4, 5\), \(2, 3, 4, 6\)\]'):
        MultiViewDataPreprocessor()(dict(inputs=[*views[:2], views[2][..., :5]]))
