# SPDX-License-Identifier: Apache-2.0
"""What holds for any images: of the views that are cut of a batch."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mmpretrain.registry import BATCH_AUGMENTS, MODELS
from property_settings import few

import tcl_plugin  # noqa: F401  registers everything

# Each with arguments by which it changes nothing.
TRANSFORMS = {
    'BatchRandomFlip': (dict(prob=0.5), dict(prob=0)),
    'BatchRandomCrop': (dict(size=6, padding=2), dict(size=8)),
    'BatchRandomResizedCrop': (dict(size=6), dict(size=8, scale=(1, 1), ratio=(1, 1))),
    'BatchColorJitter': (dict(brightness=0.5, contrast=0.5, saturation=0.5, hue=0.5), dict(brightness=0.5, prob=0)),
    'BatchRandomGrayscale': (dict(prob=0.5), dict(prob=0)),
    'BatchRandomSolarize': (dict(threshold=128), dict(threshold=128, prob=0)),
}
SEEDS = st.integers(0, 2**31)
SIDES = st.integers(6, 12)


@st.composite
def batches(draw, sides=SIDES) -> torch.Tensor:
    """Images of random pixels, of one grey value, or of black and white."""
    shape = (draw(st.integers(1, 5)), draw(st.sampled_from([1, 3])), draw(sides), draw(sides))
    generator = torch.Generator().manual_seed(draw(SEEDS))
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    kind = draw(st.sampled_from(['noise', 'flat', 'extreme']))
    if kind == 'flat':
        images.fill_(draw(st.sampled_from([0, 77, 255])))
    return (images > 127).byte() * 255 if kind == 'extreme' else images


def run(name: str, arguments: dict, images: torch.Tensor, seed: int) -> torch.Tensor:
    transform = BATCH_AUGMENTS.build(dict(type=name) | arguments)
    params = transform.draw(len(images), tuple(images.shape[-2:]), torch.Generator().manual_seed(seed))
    assert all(len(value) == len(images) for value in params.values())
    out = transform.apply(images.float(), params)
    assert out.shape[-2:] == transform.output_size(tuple(images.shape[-2:]))
    return out


@pytest.mark.parametrize('name', TRANSFORMS)
@few
@given(images=batches(), seed=SEEDS)
def test_any_images_stay_images(name, images, seed):
    out = run(name, TRANSFORMS[name][0], images, seed)
    assert out.dtype == torch.float32 and out.shape[:2] == images.shape[:2]
    assert out.isfinite().all()
    assert out.min() >= -1e-3 and out.max() <= 255 + 1e-3
    assert torch.equal(out, run(name, TRANSFORMS[name][0], images, seed))


@pytest.mark.parametrize('name', TRANSFORMS)
@few
@given(images=batches(st.just(8)), seed=SEEDS)
def test_parameters_that_change_nothing(name, images, seed):
    out = run(name, TRANSFORMS[name][1], images, seed)
    torch.testing.assert_close(out, images.float(), rtol=0, atol=1e-3)


@pytest.mark.parametrize('name', TRANSFORMS)
@few
@given(images=batches(), seed=SEEDS)
def test_each_image_has_its_own_parameters(name, images, seed):
    """What becomes of an image does not depend on the others, given the parameters drawn for it."""
    transform = BATCH_AUGMENTS.build(dict(type=name) | TRANSFORMS[name][0])
    params = transform.draw(len(images), tuple(images.shape[-2:]), torch.Generator().manual_seed(seed))
    together = transform.apply(images.float(), params)
    for i in range(len(images)):
        alone = transform.apply(images[i : i + 1].float(), {key: value[i : i + 1] for key, value in params.items()})
        torch.testing.assert_close(alone, together[i : i + 1], rtol=1e-5, atol=1e-3)


@few
@given(images=batches(), numbers=st.lists(st.integers(1, 3), min_size=1, max_size=3), seed=SEEDS)
def test_views_of_a_batch(images, numbers, seed):
    views = [
        dict(num_views=number, transforms=[dict(type='BatchRandomResizedCrop', size=6), dict(type='BatchRandomFlip')])
        for number in numbers
    ]
    preprocessor = MODELS.build(dict(type='BatchViewDataPreprocessor', views=views, seed=seed % 1000))
    before = images.clone()
    out = preprocessor(dict(inputs=images), training=True)['inputs']
    out = out if isinstance(out, list) else [out]
    assert len(out) == sum(numbers) == preprocessor.num_views
    for view in out:
        assert view.shape == (*images.shape[:2], 6, 6) and view.dtype == torch.float32
        assert view.min() >= -1e-3 and view.max() <= 255 + 1e-3
    assert torch.equal(images, before)
