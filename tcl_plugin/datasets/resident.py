# SPDX-License-Identifier: Apache-2.0
"""Images of a whole dataset in the memory of the device."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dataset import default_collate
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..progress import track
from ..structures import SampleBatch, indices_of, labels_of, to_device
from .label_source import LabelSource

# Transforms that give an image the same way each time. Images that went through others must not be kept.
FIXED_TRANSFORMS = ('LoadImageFromFile', 'Resize', 'ResizeEdge', 'CenterCrop', 'PackInputs')


class CannotKeepError(Exception):
    """A dataset whose images cannot be kept on the device. The message says why."""


class ResidentDataset(Dataset):
    """Hand out whole batches of a dataset whose images lie on the device.

    Other attributes, such as ``given_labels`` and ``metainfo``, are those of the dataset.

    Args:
        dataset (Dataset): The dataset, read already.
        images (Tensor): Its images, uint8, shape (N, C, H, W), on the device.
        labels (Tensor): Its given labels, int64, shape (N,), on the device.
        sample_idx (Tensor): What its samples call themselves, int64, shape (N,), on the CPU.
    """

    def __init__(self, dataset: Any, images: Tensor, labels: Tensor, sample_idx: Tensor) -> None:
        self.dataset = dataset
        self.images = images
        self.labels = labels
        self.sample_idx = sample_idx

    def __getattr__(self, name: str) -> Any:
        if name == 'dataset':  # while it is copied or unpickled
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict:
        return self.dataset[index]

    def __getitems__(self, indices: Sequence[int]) -> dict:
        """Take a batch; the data loader calls this in place of ``__getitem__`` and collating.

        Args:
            indices (Sequence[int]): Indices of the B samples.

        Returns:
            dict: ``inputs``, uint8, shape (B, C, H, W), and ``data_samples``, a :class:`SampleBatch`.
        """
        index = torch.tensor(indices)
        where = to_device(index, self.images.device)
        return dict(inputs=self.images[where], data_samples=SampleBatch(self.labels[where], self.sample_idx[index]))

    def with_pipeline(self, pipeline: Sequence[dict]) -> Dataset:
        """Make a view of the dataset that runs another pipeline.

        Args:
            pipeline (Sequence[dict]): Configs of transforms.

        Returns:
            Dataset: This dataset, where its images have gone through the same transforms; otherwise
            an ordinary one.
        """
        view = self.dataset.with_pipeline(pipeline)
        return self if _signature(pipeline_of(view)) == _signature(pipeline_of(self.dataset)) else view


class ResidentLoader(DataLoader):
    """Deal the batches that an ordinary loader would deal, in the same order.

    It shares the loader's sampler, draws as many random numbers, and has the same ``batch_size`` and
    ``drop_last``, which PyTorch itself would leave empty here.

    Args:
        loader (DataLoader): The ordinary loader.
        dataset (ResidentDataset): Its dataset, resident.
    """

    def __init__(self, loader: DataLoader, dataset: ResidentDataset) -> None:
        super().__init__(dataset, batch_sampler=loader.batch_sampler, collate_fn=_as_it_is, generator=loader.generator)
        self._seeds_once = loader.persistent_workers
        # PyTorch allows no change of attributes by these names. mmpretrain's PreciseBNHook divides by the batch size.
        vars(self).update(batch_size=loader.batch_size, drop_last=loader.drop_last)

    def __iter__(self) -> Any:
        """Iterate over the batches of an epoch."""
        iterator = super().__iter__()
        if self._seeds_once:
            # Workers that stay are given a seed at the first epoch only.
            self.generator = torch.Generator()
        return iterator


def _as_it_is(batch: Any) -> Any:
    """Collate a batch that is one already."""
    return batch


def pipeline_of(dataset: Any) -> list | None:
    """The transforms of a dataset under any number of wrappers, or None where there are several."""
    while getattr(dataset, 'pipeline', None) is None:
        if not hasattr(dataset, 'dataset'):
            return None
        dataset = dataset.dataset
    return list(dataset.pipeline.transforms)


def changing_transforms(dataset: Any) -> list[str]:
    """Names of transforms that may make another image of a sample each time.

    Args:
        dataset (Dataset): The dataset.

    Returns:
        list[str]: The names. Empty if images can be kept.
    """
    pipeline = pipeline_of(dataset)
    if pipeline is None:
        return ['several pipelines']
    source = getattr(dataset, 'source', None)
    if isinstance(source, LabelSource) and source.open_set is not None:
        other = pipeline_of(source.open_set.dataset)
        if other is None:
            return ['several pipelines of open_set.dataset']
        pipeline = other + pipeline
    names = [type(transform).__name__ for transform in pipeline]
    return [name for name in names if name not in FIXED_TRANSFORMS]


def _signature(pipeline: list | None) -> list[str] | None:
    """What transforms do to an image; what PackInputs keeps beside it is none of that."""
    if pipeline is None:
        return None
    return [type(t).__name__ if type(t).__name__ == 'PackInputs' else repr(t) for t in pipeline]


def read_all(dataset: Any, device: torch.device, num_workers: int = 0) -> ResidentDataset:
    """Read a dataset into the memory of the device.

    Args:
        dataset (Dataset): The dataset; its pipeline must give uint8 images.
        device (torch.device): The device.
        num_workers (int): Processes that read. Defaults to 0.

    Returns:
        ResidentDataset: The dataset.

    Raises:
        CannotKeepError: If images differ in shape, or one cannot be read.
    """
    # A generator of its own: reading must not change what training will draw.
    loader = DataLoader(
        dataset, batch_size=256, num_workers=num_workers, collate_fn=_collate_even, generator=torch.Generator()
    )
    images, start, shapes, labels, indices = None, 0, set(), [], []
    for found, batch in track(loader, 'images to keep on the device'):
        shapes |= found
        if len(shapes) > 1:
            raise CannotKeepError(f'its images differ in shape ({" and ".join(map(str, sorted(shapes)[:2]))})')
        _check_samples(batch['data_samples'])
        if images is None:
            images = torch.empty(len(dataset), *batch['inputs'].shape[1:], dtype=torch.uint8, device=device)
        stop = start + len(batch['inputs'])
        images[start:stop] = batch['inputs'].to(device)
        start = stop
        labels.append(labels_of(batch['data_samples'], torch.device('cpu')))
        indices.append(indices_of(batch['data_samples']))
    sample_idx = torch.cat(indices)
    assert images is not None
    _check_indices(dataset, sample_idx)
    return ResidentDataset(dataset, images, torch.cat(labels).to(device), sample_idx)


def _check_indices(dataset: Any, sample_idx: Tensor) -> None:
    """Refuse a set in which another sample has come in place of one that cannot be read."""
    if torch.equal(sample_idx, torch.arange(len(dataset))):
        return
    # Wrappers such as RepeatDataset number otherwise: only the dataset knows what each sample calls itself.
    for i, found in enumerate(sample_idx.tolist()):
        if dataset.get_data_info(i)['sample_idx'] != found:
            raise CannotKeepError(f'the image of sample {i} cannot be read, and another takes its place')


def _check_samples(samples: list[DataSample]) -> None:
    """Refuse samples that say more than one label."""
    for sample in samples:
        if sample.keys() != ['gt_label'] or sample.gt_label.numel() != 1:
            raise CannotKeepError(f'its samples hold {", ".join(sample.keys())}, not one label')
        if 'sample_idx' not in sample:
            raise CannotKeepError('its samples have no sample_idx')


def _collate_even(items: list[dict]) -> tuple[set[tuple], dict | None]:
    """Shapes of the images, and the batch, where they have one."""
    shapes = {tuple(item['inputs'].shape) for item in items}
    return shapes, default_collate(items) if len(shapes) == 1 else None
