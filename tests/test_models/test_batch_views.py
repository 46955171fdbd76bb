# SPDX-License-Identifier: Apache-2.0
"""Views cut on the device arrive as the views of CPU workers do."""

import pytest
import torch
from mmpretrain.models import ClsDataPreprocessor
from mmpretrain.structures import DataSample

from tcl_plugin.models import BatchViewDataPreprocessor
from tcl_plugin.models.data_preprocessors import batch_views
from tcl_plugin.structures import SampleBatch

# Three different numbers, so that swapped channels show.
NORM = dict(mean=[120.0, 110.0, 100.0], std=[60.0, 50.0, 40.0])
WEAK = [dict(type='BatchRandomCrop', size=10, padding=1), dict(type='BatchRandomFlip')]
STRONG = [
    dict(type='BatchRandomResizedCrop', size=10),
    dict(type='BatchColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, prob=0.8),
]
VIEWS = [dict(transforms=WEAK), dict(num_views=2, transforms=STRONG)]
KEEP = [dict(num_views=3, transforms=[])]


@pytest.fixture
def images():
    return torch.randint(256, (40, 3, 10, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def build(views=VIEWS, seed=0, **kwargs):
    return BatchViewDataPreprocessor(views=views, seed=seed, **NORM, **kwargs)


def cut(preprocessor, images):
    return torch.stack(preprocessor(dict(inputs=images), training=True)['inputs'])


@pytest.mark.parametrize('to_rgb', [False, True])
@pytest.mark.parametrize('channels_last', [False, True])
def test_views_that_change_nothing_equal_the_plain_preprocessor(images, channels_last, to_rgb):
    found = build(KEEP, channels_last=channels_last, to_rgb=to_rgb)(dict(inputs=images), training=True)['inputs']
    expected = ClsDataPreprocessor(**NORM, to_rgb=to_rgb)(dict(inputs=images))['inputs']
    assert isinstance(found, list) and len(found) == 3
    for view in found:
        torch.testing.assert_close(view, expected, rtol=0, atol=0)
        assert view.is_contiguous(memory_format=torch.channels_last) == channels_last


def test_views_come_in_the_order_of_the_config(images):
    """The weak one first: TCL goes by the place."""
    inverted = [dict(type='BatchRandomSolarize', threshold=0, prob=1.0)]
    weak, *strong = build([dict(transforms=[]), dict(num_views=2, transforms=inverted)])(
        dict(inputs=images), training=True
    )['inputs']
    plain = ClsDataPreprocessor(**NORM)
    torch.testing.assert_close(weak, plain(dict(inputs=images))['inputs'])
    for view in strong:
        torch.testing.assert_close(view, plain(dict(inputs=255 - images))['inputs'])


def test_every_view_is_another_and_a_seed_repeats_them_all(images):
    first = build()
    views = cut(first, images)
    assert views.shape == (3, 40, 3, 10, 10) and views.dtype == torch.float32
    assert len({tuple(view.flatten().tolist()[:50]) for view in views}) == 3
    again = build()
    assert (cut(again, images) == views).all()
    assert not (cut(first, images) == views).all()
    assert (cut(first, images) == (cut(again, images), cut(again, images))[1]).all()
    assert not (cut(build(seed=1), images) == views).all()


def test_the_run_decides_without_a_seed(images):
    torch.manual_seed(3)
    views = cut(build(seed=None), images)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    assert (cut(build(seed=None), images) == views).all()
    # Cutting draws nothing that the rest of training would have drawn.
    assert (torch.get_rng_state() == state).all()


def test_views_of_a_step_are_its_own(images, monkeypatch):
    """They depend on seed, step and process, and on nothing that was cut before."""

    def seeded(preprocessor, *numbers):
        preprocessor.seed_views(*numbers)
        return cut(preprocessor, images)

    one = build(seed=None)
    first, other, again = (seeded(one, 0, step) for step in (0, 1, 0))
    assert (first == again).all() and not (first == other).all()
    assert not (seeded(one, 1, 0) == first).all()
    # A seed of its own has precedence.
    assert (seeded(build(seed=0), 1, 0) == first).all()
    monkeypatch.setattr(batch_views.dist, 'get_rank', lambda: 1)
    assert not (seeded(one, 0, 0) == first).all()


def test_pieces_of_a_batch_make_no_difference(images, monkeypatch):
    whole = cut(build(), images)
    monkeypatch.setattr(batch_views, 'CPU_CHUNK', 7)
    torch.testing.assert_close(cut(build(), images), whole)


def test_a_list_of_images_and_labels(images):
    """As mmengine's pseudo_collate hands them over."""
    samples = [DataSample(metainfo=dict(sample_idx=i)).set_gt_label(i) for i in range(40)]
    out = build(KEEP)(dict(inputs=list(images), data_samples=samples), training=True)
    assert [(int(sample.gt_label), sample.sample_idx) for sample in out['data_samples']] == [(i, i) for i in range(40)]
    batch = SampleBatch(torch.arange(40), torch.arange(40))
    out = build(KEEP)(dict(inputs=images, data_samples=batch), training=True)
    assert out['data_samples'] is batch and len(out['inputs']) == 3


def test_views_are_cut_once(images, monkeypatch):
    sizes, cut = [], BatchViewDataPreprocessor.cut
    monkeypatch.setattr(BatchViewDataPreprocessor, 'cut', lambda self, x: sizes.append(len(x)) or cut(self, x))
    for samples in (
        SampleBatch(torch.arange(40), torch.arange(40)),
        [DataSample().set_gt_label(i) for i in range(40)],
    ):
        build()(dict(inputs=images, data_samples=samples), training=True)
    assert sizes == [40, 40]


def test_another_device_than_the_cpu(images):
    """One without numbers, which refuses whatever asks for one; there, a batch is not cut piece by piece."""
    meta = torch.device('meta')
    preprocessor = build().to(meta)
    for batch in (images, images[:0]):
        views = preprocessor.cut(batch.to(meta))
        assert views.shape == (3 * len(batch), 3, 10, 10) and views.device == meta


def test_half_precision_of_the_network_leaves_views_alone(images):
    expected = cut(build(), images)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert torch.equal(cut(build(), images), expected)


def test_grey_images_become_three_channels(images):
    found = build(KEEP)(dict(inputs=images[:, :1]), training=True)['inputs'][0]
    torch.testing.assert_close(found, build(KEEP)(dict(inputs=images[:, :1]))['inputs'], rtol=0, atol=0)
    assert found.shape == (40, 3, 10, 12)


def test_one_view_is_no_list(images):
    assert build([dict(transforms=WEAK)])(dict(inputs=images), training=True)['inputs'].shape == (40, 3, 10, 10)


def test_evaluation_and_finished_views_pass(images):
    expected = ClsDataPreprocessor(**NORM)(dict(inputs=images))['inputs']
    torch.testing.assert_close(build()(dict(inputs=images))['inputs'], expected, rtol=0, atol=0)
    for view in build()(dict(inputs=[images, images, images]), training=True)['inputs']:
        torch.testing.assert_close(view, expected, rtol=0, atol=0)


def test_refusals(images):
    with pytest.raises(TypeError, match=r'views are cut of uint8 images, got torch\.float32'):
        build()(dict(inputs=images.float()), training=True)
    with pytest.raises(ValueError, match='views must name one kind of view or more'):
        build([])
    with pytest.raises(ValueError, match='batch_augments and pad_size_divisor do not go together with views'):
        build(pad_size_divisor=8)
    other = [dict(transforms=WEAK), dict(transforms=[dict(type='BatchRandomCrop', size=9)])]
    with pytest.raises(ValueError, match=r'all views must have one size, got \(10, 10\) and \(9, 9\)'):
        cut(build(other), images)
