# SPDX-License-Identifier: Apache-2.0
"""Generators of label noise, each exactly one of the variants that are in use.

All draw from numpy's ``RandomState``: its stream is frozen for good (numpy's policy NEP 19),
whereas that of ``default_rng`` may change between releases. So a seed gives the same given labels
on every machine, in every process of a distributed run and after a resume.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from mmpretrain.registry import TASK_UTILS

from .labels import check_labels
from .mappings import named_mapping, parse_mapping


def check_rate(rate: float) -> float:
    """Check a nominal noise rate.

    Args:
        rate (float): The rate.

    Returns:
        float: The rate.

    Raises:
        TypeError: It is not a number.
        ValueError: It lies outside [0, 1].
    """
    if isinstance(rate, bool) or not isinstance(rate, Real):
        raise TypeError(f'noise rate must be a number in [0, 1], got {rate!r}')
    # Written so that NaN, for which every comparison is false, is refused too.
    if not 0 <= rate <= 1:
        raise ValueError(f'noise rate must be in [0, 1], got {rate}')
    return float(rate)


def check_seed(seed: int, name: str = 'seed of the noise') -> int:
    """Check the seed of a random stream.

    Args:
        seed (int): The seed.
        name (str): What messages call it. Defaults to ``'seed of the noise'``.

    Returns:
        int: The seed.

    Raises:
        TypeError: It is not an integer.
        ValueError: It lies outside [0, 2**32).
    """
    if isinstance(seed, bool) or not isinstance(seed, Integral):
        raise TypeError(f'{name} must be an integer, got {seed!r}')
    if not 0 <= seed < 2**32:
        raise ValueError(f'{name} must be in [0, 2**32), got {seed}')
    return int(seed)


def share_of(rate: float, num_samples: int) -> int:
    """floor(rate * N), as rates are meant.

    Args:
        rate (float): The rate, in [0, 1].
        num_samples (int): Number of samples N.

    Returns:
        int: The number.
    """
    # The small number undoes binary fractions: 0.29 * 100 is 28.999999999999996.
    return min(num_samples, math.floor(rate * num_samples + 1e-6))


class LabelNoise(ABC):
    """Base of all generators: owns the random stream.

    A generator overrides :meth:`_corrupt` and :meth:`expected_rate`. One that looks at the images
    sets ``needs_images``, and its :meth:`_corrupt` takes them as a fourth argument.

    Args:
        seed (int): Seed of the random stream, in [0, 2**32). Defaults to 0.

    Attributes:
        needs_images (bool): Whether calls must pass the images.
        rate (float, optional): Nominal noise rate; None where there is none.

    Raises:
        TypeError: ``seed`` is not an integer.
        ValueError: ``seed`` is outside its range.
    """

    needs_images: ClassVar[bool] = False

    def __init__(self, seed: int = 0) -> None:
        self.seed = check_seed(seed)
        self.rate: float | None = None

    def __call__(self, labels: np.ndarray, num_classes: int, images: Iterable[np.ndarray] | None = None) -> np.ndarray:
        """Make given labels of true labels, which stay as they are.

        Args:
            labels (np.ndarray): True labels, integers in 0..K-1, shape (N,).
            num_classes (int): Number of classes K.
            images (Iterable[np.ndarray], optional): The N images in the order of the labels, uint8,
                each of shape (H, W, C) or (H, W); gone through once. Only generators with
                ``needs_images`` look at them. Defaults to None.

        Returns:
            np.ndarray: Given labels, int64, shape (N,). The same for every call.

        Raises:
            TypeError: The labels are not integers.
            ValueError: A label lies outside 0..K-1, the generator does not suit K, or it needs
                images and gets none.
        """
        labels = check_labels(labels, num_classes, f'labels for {type(self).__name__}')
        rng = np.random.RandomState(self.seed)
        if not self.needs_images:
            return self._corrupt(labels, num_classes, rng)
        if images is None:
            raise ValueError(f'{type(self).__name__} depends on the images: call it with images, too')
        corrupt: Callable[..., np.ndarray] = self._corrupt
        return corrupt(labels, num_classes, rng, images)

    @abstractmethod
    def _corrupt(self, labels: np.ndarray, num_classes: int, rng: np.random.RandomState) -> np.ndarray:
        """Corrupt checked labels, a copy that may be changed in place."""

    @abstractmethod
    def expected_rate(self, labels: np.ndarray, num_classes: int) -> float:
        """Expected share of wrong labels, which is often not the nominal rate.

        Args:
            labels (np.ndarray): True labels, shape (N,).
            num_classes (int): Number of classes K.

        Returns:
            float: Expected noise rate, in [0, 1].
        """


class RatedNoise(LabelNoise):
    """Base of generators that choose a share of the samples.

    Args:
        rate (float): Nominal noise rate, in [0, 1].
        seed (int): Seed of the random stream. Defaults to 0.

    Raises:
        TypeError: ``rate`` is not a number.
        ValueError: ``rate`` is outside its range.
    """

    rate: float

    def __init__(self, rate: float, seed: int = 0) -> None:
        super().__init__(seed)
        self.rate = check_rate(rate)

    def _choose(self, num_samples: int, rng: np.random.RandomState) -> np.ndarray:
        """Choose floor(rate * N) samples without replacement.

        The chosen samples of a lower rate are among those of a higher one with the same seed.
        """
        return rng.permutation(num_samples)[: self._share(num_samples)]

    def _share(self, num_samples: int) -> int:
        """floor(rate * N)."""
        return share_of(self.rate, num_samples)

    def _exact_rate(self, num_samples: int) -> float:
        """Share of the samples that are chosen: floor(rate * N) / N, which the rate itself may exceed."""
        return self._share(num_samples) / num_samples if num_samples else 0.0

    def __repr__(self) -> str:
        return f'{type(self).__name__}(rate={self.rate:g}, seed={self.seed})'


@TASK_UTILS.register_module()
class SymmetricNoise(RatedNoise):
    """Symmetric noise, true class included.

    Chooses floor(rate * N) samples out of all, and gives each a label drawn uniformly from all K
    classes. As the true class can be drawn as well, the expected noise rate is (K-1) / K of that share:
    72 % at a nominal 80 % and ten classes. This is the variant of TCL, DivideMix and most others;
    results with the true class excluded are not comparable.

    Args:
        rate (float): Share of samples that get a random label, in [0, 1].
        seed (int): Seed of the random stream. Defaults to 0.

    Examples:
        >>> SymmetricNoise(rate=0.5)(np.zeros(8, dtype=int), num_classes=10)
        array([0, 4, 2, 0, 0, 0, 5, 7])
    """

    def _corrupt(self, labels: np.ndarray, num_classes: int, rng: np.random.RandomState) -> np.ndarray:
        chosen = self._choose(len(labels), rng)
        # The dtype is part of the stream: the default one is 32 bits wide on some platforms.
        labels[chosen] = rng.randint(0, num_classes, size=len(chosen), dtype=np.int64)
        return labels

    def expected_rate(self, labels: np.ndarray, num_classes: int) -> float:
        """See :meth:`LabelNoise.expected_rate`."""
        return self._exact_rate(len(labels)) * (num_classes - 1) / num_classes


@TASK_UTILS.register_module()
class SymmetricExclusiveNoise(RatedNoise):
    """Symmetric noise, true class excluded.

    Chooses floor(rate * N) samples out of all, and gives each a label drawn uniformly from the other
    K - 1 classes, so that the noise rate is the nominal one, or lower by less than one sample. This is
    the variant of MOIT; Co-teaching draws each label by itself (:class:`TransitionMatrixNoise`). At a
    rate of 90 % and ten classes nothing can be learned from the labels, whereas :class:`SymmetricNoise`
    leaves 19 % of them right.

    Args:
        rate (float): Share of samples that get a wrong label, in [0, 1].
        seed (int): Seed of the random stream. Defaults to 0.

    Examples:
        >>> SymmetricExclusiveNoise(rate=0.5)(np.zeros(8, dtype=int), num_classes=10)
        array([0, 5, 3, 0, 0, 0, 6, 8])
    """

    def _corrupt(self, labels: np.ndarray, num_classes: int, rng: np.random.RandomState) -> np.ndarray:
        if num_classes < 2:
            raise ValueError(f'SymmetricExclusiveNoise needs two classes or more, got {num_classes}')
        chosen = self._choose(len(labels), rng)
        shift = rng.randint(1, num_classes, size=len(chosen), dtype=np.int64)
        labels[chosen] = (labels[chosen] + shift) % num_classes
        return labels

    def expected_rate(self, labels: np.ndarray, num_classes: int) -> float:
        """See :meth:`LabelNoise.expected_rate`."""
        return self._exact_rate(len(labels))


@TASK_UTILS.register_module()
class AsymmetricNoise(RatedNoise):
    """Asymmetric noise: samples move to one class that resembles their own.

    Chooses floor(rate * N) samples out of all, and moves those whose class is a source in
    ``mapping``; other chosen samples keep their label. The rate is thus that of each source class,
    and the noise rate is lower: about 20 % on CIFAR-10 at a nominal 40 %. This is the variant of
    TCL and DivideMix.

    Args:
        rate (float): Share of samples that are chosen, in [0, 1].
        mapping (str | dict | list): Destination of each source class: ``{source: destination}``
            with integers or strings of digits as keys, a list of ``[source, destination]`` pairs,
            or the name of a known mapping, such as ``'cifar10'``.
        seed (int): Seed of the random stream. Defaults to 0.

    Raises:
        TypeError: ``mapping`` is none of these.
        ValueError: ``mapping`` is empty, has an unknown name, a source twice or a class that is
            not an integer >= 0.
    """

    def __init__(self, rate: float, mapping: str | Mapping | Iterable, seed: int = 0) -> None:
        super().__init__(rate, seed)
        self.mapping_name = mapping if isinstance(mapping, str) else None
        self.mapping = named_mapping(self.mapping_name)[0] if self.mapping_name else parse_mapping(mapping)

    def _corrupt(self, labels: np.ndarray, num_classes: int, rng: np.random.RandomState) -> np.ndarray:
        destination = self._destination(num_classes)
        chosen = self._choose(len(labels), rng)
        labels[chosen] = destination[labels[chosen]]
        return labels

    def expected_rate(self, labels: np.ndarray, num_classes: int) -> float:
        """See :meth:`LabelNoise.expected_rate`."""
        labels = check_labels(labels, num_classes, f'labels for {type(self).__name__}')
        moves = self._destination(num_classes)[labels] != labels
        return self._exact_rate(len(labels)) * float(moves.mean()) if len(labels) else 0.0

    def _destination(self, num_classes: int) -> np.ndarray:
        """Destination of every class, int64, shape (K,); itself where it is no source."""
        if self.mapping_name and num_classes != named_mapping(self.mapping_name)[1]:
            raise ValueError(
                f'mapping {self.mapping_name!r} is made for '
                f'{named_mapping(self.mapping_name)[1]} classes, got {num_classes}'
            )
        destination = np.arange(num_classes, dtype=np.int64)
        for source, target in self.mapping.items():
            if max(source, target) >= num_classes:
                raise ValueError(f'mapping {source} -> {target} is outside the classes 0..{num_classes - 1}')
            destination[source] = target
        return destination

    def __repr__(self) -> str:
        mapping = self.mapping_name or self.mapping
        return f'{type(self).__name__}(rate={self.rate:g}, mapping={mapping!r}, seed={self.seed})'


@TASK_UTILS.register_module()
class AsymmetricPerClassNoise(AsymmetricNoise):
    """Asymmetric noise that is exact for each source class.

    Moves floor(rate * N_k) of the N_k samples of each source class k. The classes are the same as
    those of :class:`AsymmetricNoise`, which chooses among all samples; the noise rate differs from
    its by chance alone. This is the variant of ELR.

    Args:
        rate (float): Share of each source class that moves, in [0, 1].
        mapping (str | dict | list): See :class:`AsymmetricNoise`.
        seed (int): Seed of the random stream. Defaults to 0.
    """

    def _corrupt(self, labels: np.ndarray, num_classes: int, rng: np.random.RandomState) -> np.ndarray:
        destination = self._destination(num_classes)
        order, given = rng.permutation(len(labels)), labels.copy()
        for source in np.flatnonzero(destination != np.arange(num_classes)):
            members = order[labels[order] == source]
            given[members[: self._share(len(members))]] = destination[source]
        return given

    def expected_rate(self, labels: np.ndarray, num_classes: int) -> float:
        """See :meth:`LabelNoise.expected_rate`."""
        labels = check_labels(labels, num_classes, f'labels for {type(self).__name__}')
        sources = np.flatnonzero(self._destination(num_classes) != np.arange(num_classes))
        moved = sum(self._share(int((labels == source).sum())) for source in sources)
        return moved / len(labels) if len(labels) else 0.0
