# SPDX-License-Identifier: Apache-2.0
"""A data preprocessor that cuts the views of a whole batch on the device."""

from collections.abc import Sequence
from typing import Any

import mmengine.dist as dist
import torch
from mmpretrain.registry import BATCH_AUGMENTS, MODELS
from torch import Generator, Tensor

from ...seeding import generator_for
from ..batch_transforms import BatchTransform
from .multi_view import MultiViewDataPreprocessor

# On a CPU, so many images at once stay in the cache from transform to transform.
CPU_CHUNK = 32

# What a seed is for, among those of EpochSeedHook.
CUTTING = 3


@MODELS.register_module()
class BatchViewDataPreprocessor(MultiViewDataPreprocessor):
    """Cut random views of a batch of uint8 images on the device, and normalise them.

    It takes the place of the ``MultiView`` transform for images that are small and of one size: the
    training pipeline is then ``[dict(type='PackInputs')]``, or anything that is not random. Batches
    that are not for training pass as in :class:`MultiViewDataPreprocessor`, and so do training
    batches that come in several views.

    Args:
        views (list[dict]): Kinds of views. Each has ``num_views`` (int, 1 unless given) and
            ``transforms`` (list[dict]), batch transforms in BATCH_AUGMENTS; see
            :class:`BatchTransform`.
        seed (int, optional): Seed of the views. Defaults to None, the seed of the run. Processes
            cut different views in any case.
        **kwargs: Arguments of :class:`MultiViewDataPreprocessor`. Where ``to_rgb`` is True, the
            transforms already meet RGB.

    Raises:
        ValueError: If there are no views, or they differ in size, or other arguments also change the
            images of a batch.

    Examples:
        >>> weak = [dict(type='BatchRandomCrop', size=32, padding=4), dict(type='BatchRandomFlip')]
        >>> strong = [dict(type='BatchRandomResizedCrop', size=32, scale=(0.2, 1.0))]
        >>> preprocessor = BatchViewDataPreprocessor(
        ...     views=[dict(transforms=weak), dict(num_views=2, transforms=strong)])
        >>> images = torch.randint(256, (8, 3, 32, 32), dtype=torch.uint8)
        >>> [tuple(view.shape) for view in preprocessor(dict(inputs=images), training=True)['inputs']]
        [(8, 3, 32, 32), (8, 3, 32, 32), (8, 3, 32, 32)]
    """

    def __init__(self, views: list[dict], seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not views:
            raise ValueError('views must name one kind of view or more')
        wrong = [view for view in views if not isinstance(view, dict) or 'transforms' not in view]
        if wrong:
            raise ValueError(f'each of views must be dict(num_views=..., transforms=[...]), got {wrong[0]!r}')
        if self.batch_augments is not None or self.pad_size_divisor > 1:
            raise ValueError('batch_augments and pad_size_divisor do not go together with views')
        self.views = [
            (view.get('num_views', 1), [BATCH_AUGMENTS.build(transform) for transform in view['transforms']])
            for view in views
        ]
        self.seed = seed
        self._generator: Generator | None = None

    @property
    def num_views(self) -> int:
        """Number of views of each image."""
        return sum(number for number, _ in self.views)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Cut views, and normalise them.

        Args:
            data (dict): ``inputs`` are B images of one size: uint8, shape (B, C, H, W), or a list
                of them.
            training (bool): Whether the batch is for training. Defaults to False.

        Returns:
            dict: In training, ``inputs`` is a list of V views, float32, shape (B, C, H', W') each,
            in the order of the configuration, or the one view itself; otherwise as in
            :class:`MultiViewDataPreprocessor`.

        Raises:
            TypeError: If the images are not uint8.
        """
        images = data['inputs']
        if not training or _has_several_views(images):
            return super().forward(data, training)
        images = self.cast_data(images if isinstance(images, Tensor) else torch.stack(list(images)))
        if images.dtype != torch.uint8:
            raise TypeError(f'views are cut of uint8 images, got {images.dtype}')
        if self.to_rgb and images.size(1) == 3:
            images = images.flip(1)
        # Grey values are not for half precision, whichever way the network runs.
        with torch.autocast(images.device.type, enabled=False):
            views = self.cut(images)
        # The parent sees to the labels. The images are finished, so that it gets none.
        rest = super().forward({**data, 'inputs': images[:0]}, training)
        return {**rest, 'inputs': list(views.chunk(self.num_views)) if self.num_views > 1 else views}

    def seed_views(self, seed: int, step: int) -> None:
        """Begin with fresh views, as a function of seed, step and process; :class:`EpochSeedHook` calls this.

        Args:
            seed (int): Seed of the run; one of its own has precedence.
            step (int): Number of the epoch or iteration that begins.
        """
        seed = seed if self.seed is None else self.seed
        self._generator = generator_for(seed, CUTTING, step, dist.get_rank())

    @torch.no_grad()
    def cut(self, images: Tensor) -> Tensor:
        """Cut and normalise all views of a batch.

        Args:
            images (Tensor): uint8, shape (B, C, H, W), in RGB.

        Returns:
            Tensor: float32, shape (V * B, C, H', W').
        """
        if self._generator is None:
            seed = torch.initial_seed() if self.seed is None else self.seed
            self._generator = torch.Generator().manual_seed(seed + dist.get_rank())
        out, start = None, 0
        for number, transforms in self.views:
            plan, size = self._draw_plan(transforms, number * len(images), images.shape[-2:])
            if out is None:
                # Grey images become three channels where they are normalised by three.
                channels = max(images.size(1), self.mean.size(0)) if self._enable_normalize else images.size(1)
                out = self._empty(self.num_views * len(images), channels, size, images.device)
            elif out.shape[-2:] != size:
                raise ValueError(f'all views must have one size, got {tuple(out.shape[-2:])} and {size}')
            stop = start + number * len(images)
            self._run_plan(images.repeat(number, 1, 1, 1), plan, out[start:stop])
            start = stop
        assert out is not None  # there are views
        return out

    def _draw_plan(
        self, transforms: list[BatchTransform], num_images: int, size: Sequence[int]
    ) -> tuple[list, tuple[int, int]]:
        """Parameters of each transform, and the size of the result."""
        assert self._generator is not None  # cut has seen to that
        plan = []
        height, width = size
        for transform in transforms:
            plan.append((transform, transform.draw(num_images, (height, width), self._generator)))
            height, width = transform.output_size((height, width))
        return plan, (height, width)

    def _empty(self, num_images: int, channels: int, size: tuple[int, int], device: torch.device) -> Tensor:
        memory_format = torch.channels_last if self.channels_last else torch.contiguous_format
        return torch.empty(num_images, channels, *size, device=device, memory_format=memory_format)

    def _run_plan(self, images: Tensor, plan: list, out: Tensor) -> None:
        """Run the transforms, and write the normalised results to ``out``."""
        chunk = CPU_CHUNK if images.device.type == 'cpu' else max(1, len(images))
        for start in range(0, len(images), chunk):
            rows = slice(start, start + chunk)
            batch = images[rows].float()
            for transform, params in plan:
                batch = transform.apply(batch, {name: value[rows] for name, value in params.items()})
            out[rows] = (batch - self.mean) / self.std if self._enable_normalize else batch


def _has_several_views(inputs: Any) -> bool:
    return isinstance(inputs, (list, tuple)) and not (isinstance(inputs[0], Tensor) and inputs[0].ndim == 3)
