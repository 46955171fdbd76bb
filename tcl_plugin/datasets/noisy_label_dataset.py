# SPDX-License-Identifier: Apache-2.0
"""The wrapper that turns any classification dataset into one with noisy labels."""

import copy
import logging
import os
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import cv2
import numpy as np
from mmengine.dataset import Compose, force_full_init
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from mmpretrain.registry import DATASETS, TRANSFORMS

from .folds import keep_whole
from .held_out import check_share, draw_held_out
from .label_source import LabelSource, own_labels
from .leaves import check_classes, leaf_table
from .noise import check_seed
from .open_set import OpenSetNoise, sources, true_labels
from .sidecar import digest


@DATASETS.register_module()
class NoisyLabelDataset:
    """Replace the labels of a dataset by given labels, before its pipeline runs.

    It is the outermost wrapper: of a dataset, or of any nesting of ``ConcatDataset``,
    ``RepeatDataset``, ``ClassBalancedDataset`` and ``KFoldDataset``. Where such a wrapper repeats
    an image, all copies get the same given label (noise is generated, and a label file is read,
    over the distinct images). With ``KFoldDataset`` these are the images of all folds: one has the same
    label in each fold, on either side, and a label file has labels for them all. A ``KFoldDataset``
    that is no config, but built already, knows the images of its part alone. What a pipeline meets is
    the data info of the inner dataset with

    - ``gt_label`` (int): the given label;
    - ``clean_label`` (int): the true label, where it is known, that is with ``noise``,
      ``label_file`` or ``open_set``, which treat the dataset's own labels as true; -1 for an image
      that ``open_set`` has put in, which belongs to no class;
    - ``sample_idx`` (int): 0..N-1 over this wrapper.

    For an image that ``open_set`` has put in, the rest of the data info is that of the other
    dataset. Without ``noise``, ``label_file`` and ``open_set`` the dataset's own labels are the
    given ones (a dataset with natural noise), and nothing is known of the true ones.
    ``ClassBalancedDataset`` comes before the noise, and so balances by the dataset's own labels.

    Args:
        dataset (dict | Dataset): Config of the inner dataset, or a built one.
        noise (dict | Callable, optional): Config of a noise generator in TASK_UTILS, or a built
            one: a function of labels and K that returns given labels. One whose attribute
            ``needs_images`` is true also gets ``images``, an iterator over the distinct images
            (see :func:`images_of`) in the order of the labels. Defaults to None.
        label_file (str, optional): File with the given labels, see :func:`read_label_file`.
            Defaults to None.
        label_key (str, optional): Name of the given labels in a file that has several, such as
            ``'worse_label'`` of CIFAR-10N. Defaults to None.
        open_set (dict | OpenSetNoise, optional): Images of another dataset that replace some of
            this one; see :class:`OpenSetNoise`. Defaults to None.
        held_out (float): Share of the distinct images, in [0, 1), that are not among the samples, but
            in :meth:`held_out_part`, with the labels that they have been given among all the others.
            Nothing looks at them but :class:`HeldOutHook`, which the config has to have. Copies that a
            wrapper makes of an image stay together; a data set that is configured twice has two images.
            Defaults to 0.0.
        held_out_seed (int): Seed by which they are drawn. Defaults to 0.
        num_classes (int, optional): Number of classes K. Defaults to None, the number of classes
            in the dataset's metainfo.
        lazy_init (bool): Whether to leave reading the dataset and its labels to
            :meth:`full_init`. Defaults to False.

    Raises:
        TypeError: ``dataset`` is no dataset, or is a :class:`NoisyLabelDataset` itself;
            ``noise`` is no generator; ``open_set`` is no :class:`OpenSetNoise`; ``num_classes`` or a
            label is not one integer.
        ValueError: Both ``noise`` and ``label_file`` are given; K is unknown, or differs from the
            dataset's; parts of a ``ConcatDataset`` name other classes, which its ``ignore_keys`` does not allow; a
            label lies outside 0..K-1; images of ``open_set`` do not fit; ``held_out`` is
            not below 1, or leaves one of the two parts without images.

    Examples:
        >>> dataset = NoisyLabelDataset(
        ...     dataset=dict(type='SklearnDigits', split='train'),
        ...     noise=dict(type='SymmetricNoise', rate=0.8, seed=0))
        >>> dataset.noise_rate
        0.7181628392484343
    """

    def __init__(
        self,
        dataset: dict | Any,
        noise: dict | Callable | None = None,
        label_file: str | None = None,
        label_key: str | None = None,
        num_classes: int | None = None,
        lazy_init: bool = False,
        open_set: dict | OpenSetNoise | None = None,
        held_out: float = 0.0,
        held_out_seed: int = 0,
    ) -> None:
        self.source = LabelSource(noise, label_file, label_key, open_set)
        self.held_out = check_share(held_out)
        self.held_out_seed = check_seed(held_out_seed, 'held_out_seed')
        self.dataset = DATASETS.build(keep_whole(dataset)) if isinstance(dataset, dict) else dataset
        if not hasattr(self.dataset, 'full_init') or isinstance(self.dataset, NoisyLabelDataset):
            raise TypeError(
                'dataset must be a config or a dataset of mmengine that is not a '
                f'NoisyLabelDataset itself, got {type(self.dataset).__name__}'
            )
        if num_classes is not None and (isinstance(num_classes, bool) or not isinstance(num_classes, Integral)):
            raise TypeError(f'num_classes must be an integer, got {num_classes!r}')
        self._num_classes: Any = num_classes  # a number after full_init
        self._metainfo = self.dataset.metainfo
        self._own_pipeline: Compose | None = None
        self._image_paths: list | None = None
        self._replaced_digest: str | None = None
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """Initialise the inner dataset and settle all labels; the second call does nothing."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        self._table = leaf_table(self.dataset)
        self._images = self._table.images()
        self._update_classes()
        leaves, num_classes, source = self._table.leaves, self._num_classes, self.source
        own = own_labels(leaves, num_classes)
        given = source.give(own, leaves, num_classes)
        self._image_labels = own, given
        self._given_labels = given[self._images]
        self._open_noise = source.replace_images(own, given, leaves)
        self._other_image = sources(self._open_noise, len(own))
        self._true_labels = true_labels(own, self._open_noise[:, 0])[self._images] if source.knows_truth else None
        held = draw_held_out(len(own), self.held_out, self.held_out_seed)[self._images]
        self._fully_initialized = True
        self._held_out_part = self._part(held) if held.any() else None
        self._keep(~held)
        if is_main_process():
            print_log(f'{type(self).__name__}: {self._summary()}', logger='current')
            source.doubt_order(own, given, num_classes, type(self.dataset).__name__)

    def _update_classes(self) -> None:
        """Take over classes that only a full initialisation finds, and settle K."""
        check_classes(self.dataset)
        self._metainfo = self.dataset.metainfo
        if self._metainfo.get('classes') is None:
            self._metainfo.update(self._table.leaves[0].metainfo)
        classes = self._metainfo.get('classes')
        if self._num_classes is None:
            if classes is None:
                raise ValueError(f'{type(self.dataset).__name__} does not name its classes: set num_classes')
            self._num_classes = len(classes)
        elif classes is not None and len(classes) != self._num_classes:
            raise ValueError(
                f'num_classes={self._num_classes}, but {type(self.dataset).__name__} has {len(classes)} classes'
            )

    @property
    def metainfo(self) -> dict:
        """dict: Copy of the inner dataset's meta information."""
        return copy.deepcopy(self._metainfo)

    @property
    def CLASSES(self) -> Sequence[str] | None:
        """Sequence[str], optional: Names of the classes."""
        return self._metainfo.get('classes')

    @property
    def class_to_idx(self) -> dict[str, int]:
        """dict: Index of each class name."""
        names: Any = self.CLASSES
        return {name: index for index, name in enumerate(names)}

    @property
    @force_full_init
    def pipeline(self) -> Compose | None:
        """Compose, optional: Transforms of all samples; None where inner datasets have their own."""
        if self._own_pipeline is not None:
            return self._own_pipeline
        return self._table.leaves[0].pipeline if len(self._table.leaves) == 1 else None

    @pipeline.setter
    @force_full_init
    def pipeline(self, pipeline: Compose) -> None:
        # As mmpretrain's SwitchRecipeHook does with a ConcatDataset: all inner datasets get the same one.
        if self._own_pipeline is not None:
            self._own_pipeline = pipeline
            return
        for leaf in self._table.leaves:
            leaf.pipeline = pipeline

    @property
    @force_full_init
    def num_classes(self) -> int:
        """int: Number of classes K."""
        return self._num_classes

    @property
    @force_full_init
    def given_labels(self) -> np.ndarray:
        """np.ndarray: Given labels, int64, shape (N,), read-only."""
        return _read_only(self._given_labels)

    @property
    @force_full_init
    def true_labels(self) -> np.ndarray | None:
        """np.ndarray, optional: True labels where known, -1 for an image that belongs to no class,
        int64, shape (N,), read-only."""
        return None if self._true_labels is None else _read_only(self._true_labels)

    @property
    @force_full_init
    def image_labels(self) -> tuple[np.ndarray, np.ndarray]:
        """tuple: The dataset's own labels and the given ones of the distinct images, in the order of
        a label file, with those that a wrapper leaves out, such as the other part of a ``KFoldDataset``;
        int64, shape (M,), read-only."""
        own, given = self._image_labels
        return _read_only(own), _read_only(given)

    @property
    @force_full_init
    def image_index(self) -> np.ndarray:
        """np.ndarray: Place of each sample's image in :attr:`image_labels`; copies that a wrapper makes of an image
        have the same one; int64, shape (N,), read-only."""
        return _read_only(self._images)

    @property
    @force_full_init
    def open_noise(self) -> np.ndarray:
        """np.ndarray: Indices of the distinct images that are replaced, in the order of a label file,
        and of those of the other dataset; int64, shape (R, 2), read-only."""
        return _read_only(self._open_noise)

    @property
    @force_full_init
    def replaced_digest(self) -> str:
        """str: Fingerprint of the samples whose image is one of ``open_set``, and of these images by their
        index and, where they have one, their label; the same for all datasets without such. Read at the first use
        and kept."""
        if self._replaced_digest is None:
            source = self._other_image[self._images]
            samples = np.flatnonzero(source >= 0)
            labels = self.source.open_set.labels(source[samples]) if len(samples) else None
            columns = [samples, source[samples]] + ([] if labels is None else [labels])
            self._replaced_digest = digest(np.stack(columns, axis=1))
        return self._replaced_digest

    @property
    @force_full_init
    def noise_rate(self) -> float | None:
        """float, optional: Measured share of wrong given labels, those of images that belong to no
        class among them; None without true labels."""
        if self._true_labels is None:
            return None
        return float((self._given_labels != self._true_labels).mean())

    @property
    @force_full_init
    def image_paths(self) -> list[str | None]:
        """list: Path of each distinct image, in the order of a label file; None for one that has no file. Read at
        the first use and kept."""
        if self._image_paths is None:
            paths = [leaf.get_data_info(i).get('img_path') for leaf in self._table.leaves for i in range(len(leaf))]
            for image, source in self._open_noise:
                paths[image] = self.source.open_set.img_path(source)
            self._image_paths = paths
        return self._image_paths

    @property
    @force_full_init
    def img_paths(self) -> list[str | None] | None:
        """list, optional: Path of each sample's image, None for one that has no file; None if all have none."""
        paths = [self.image_paths[i] for i in self._images]
        return paths if any(path is not None for path in paths) else None

    @force_full_init
    def get_gt_labels(self) -> np.ndarray:
        """Get the given labels, int64, shape (N,)."""
        return self.given_labels

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Get the given label of one sample, in a list."""
        return [int(self._given_labels[idx])]

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Get the data info of one sample, with given label, true label and index.

        Args:
            idx (int): Index over this wrapper; negative ones count from the end.

        Returns:
            dict: A fresh copy of the inner data info, changed as the class says.

        Raises:
            IndexError: There is no such sample.
            RuntimeError: The pipeline of the other dataset of ``open_set`` returned None.
        """
        idx = self._positive(idx)
        source = self._other_image[self._images[idx]]
        if source < 0:
            info = self._leaf(idx).get_data_info(int(self._table.index[idx]))
        else:
            info = self.source.open_set.data_info(source)
        info['gt_label'] = int(self._given_labels[idx])
        if self._true_labels is not None:
            info['clean_label'] = int(self._true_labels[idx])
        info['sample_idx'] = idx
        return info

    @force_full_init
    def __len__(self) -> int:
        return len(self._given_labels)

    def __getitem__(self, idx: int) -> dict:
        """Get one sample after the pipeline of its dataset.

        Args:
            idx (int): Index over this wrapper.

        Returns:
            dict: What the pipeline makes of :meth:`get_data_info`. As in mmengine, a training item
            of which it makes None is replaced by another, at random.

        Raises:
            RuntimeError: The pipeline returned None in test mode, or too often.
            ValueError: The image cannot be read.
        """
        if not self._fully_initialized:
            print_log(
                'Call full_init() before the first item is read.',
                logger='current',
                level=logging.WARNING,
            )
            self.full_init()
        first = idx = self._positive(idx)
        leaf = self._leaf(idx)
        tries = 1 if self._own_pipeline or leaf.test_mode else leaf.max_refetch + 1
        for _ in range(tries):
            pipeline = self._own_pipeline or self._leaf(idx).pipeline
            data = self._run(pipeline, idx)
            if data is not None:
                return data
            idx = int(np.random.randint(0, len(self)))
        raise RuntimeError(
            f'the pipeline returned None for sample {first}'
            + (f' and {tries - 1} others' if tries > 1 else ', which test mode does not replace')
        )

    def _run(self, pipeline: Compose, idx: int) -> dict | None:
        """Run a pipeline on one sample, and name an image that cannot be read."""
        info = self.get_data_info(idx)
        path = info.get('img_path')
        try:
            return pipeline(info)
        # What OpenCV says of a file without content, and mmcv of what OpenCV cannot read, does not always name it.
        except (cv2.error, AssertionError) as error:
            if path is None or (os.path.isfile(path) and cv2.haveImageReader(path)):
                raise
            empty = os.path.isfile(path) and not os.path.getsize(path)
            reason = 'it is empty' if empty else 'it is no image, or damaged'
            raise ValueError(f'image {path} of sample {idx} cannot be read: {reason}') from error

    @force_full_init
    def with_pipeline(self, pipeline: Sequence[dict | Callable]) -> 'NoisyLabelDataset':
        """Make a view of this dataset that runs another pipeline, in test mode.

        It shares data and labels, and raises where an image cannot be read, so that item i is
        always sample i.

        Args:
            pipeline (Sequence[dict | Callable]): Transforms, or their configs.

        Returns:
            NoisyLabelDataset: The view.
        """
        view = copy.copy(self)
        view._own_pipeline = Compose([TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline])
        return view

    @force_full_init
    def held_out_part(self) -> 'NoisyLabelDataset':
        """Get the samples that ``held_out`` has taken out of this dataset, as another one.

        Returns:
            NoisyLabelDataset: Its samples are 0..M-1, in the order of the inner dataset. It shares data and
            labels with this one.

        Raises:
            ValueError: If ``held_out`` is 0.
        """
        if self._held_out_part is None:
            raise ValueError('no images are held out: set held_out=0.1 of the NoisyLabelDataset')
        return self._held_out_part

    def _part(self, chosen: np.ndarray) -> 'NoisyLabelDataset':
        part = copy.copy(self)
        part.held_out, part._held_out_part = 0.0, None
        part._keep(chosen)
        return part

    def _keep(self, chosen: np.ndarray) -> None:
        """Drop the samples that are not chosen."""
        self._table = self._table.rows(np.flatnonzero(chosen))
        self._images, self._given_labels = self._images[chosen], self._given_labels[chosen]
        if self._true_labels is not None:
            self._true_labels = self._true_labels[chosen]

    def get_subset(self, indices: Sequence[int] | int) -> None:
        """Not supported: the labels belong to the whole dataset.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(
            f'{type(self).__name__} has no subsets, because noise and label file belong to all '
            'its samples. Set `indices` of the inner dataset, and noise is made for these alone; for folds put '
            'KFoldDataset inside NoisyLabelDataset'
        )

    def get_subset_(self, indices: Sequence[int] | int) -> None:
        """Not supported, see :meth:`get_subset`."""
        self.get_subset(indices)

    def _positive(self, idx: int) -> int:
        size = len(self)
        if not -size <= idx < size:
            raise IndexError(f'index {idx} is out of range for {size} samples')
        return int(idx) % size

    def _leaf(self, idx: int) -> Any:
        return self._table.leaves[self._table.leaf[idx]]

    def _summary(self) -> str:
        """One line: kind, noise rates, N and K."""
        # Noise is drawn over all images, whichever of them are left, and however often.
        rates = self.source.rates(self._image_labels[0], self._num_classes, len(self._open_noise))
        rate = self.noise_rate
        rates.append('true labels unknown' if rate is None else f'measured noise rate {rate:.4f}')
        if self._held_out_part is not None:
            rates.append(f'held out {len(self._held_out_part)}')
        kind = self.source.describe(len(self._open_noise))
        return ', '.join([kind, *rates, f'N={len(self)}', f'K={self._num_classes}'])

    def __repr__(self) -> str:
        state = self._summary() if self._fully_initialized else f'{self.source}, not initialised'
        inner = repr(self.dataset).replace('\n', '\n    ')
        return f'Dataset {type(self).__name__}\n    {state}\n    {inner}'


def _read_only(array: np.ndarray) -> np.ndarray:
    # A flag on the array itself would be lost when the dataset is sent to a worker.
    view = array.view()
    view.flags.writeable = False
    return view
