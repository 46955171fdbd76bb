# SPDX-License-Identifier: Apache-2.0
"""Generators of label noise, each exactly one of the variants that are in use.

All draw from numpy's ``RandomState``: its stream is frozen for good (numpy's policy NEP 19),
whereas that of ``default_rng`` may change between releases. So a seed gives the same given labels
on every machine, in every process of a distributed run and after a resume.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from numbers import Integral, Real

import numpy as np
from mmpretrain.registry import TASK_UTILS

from .labels import check_labels

# The mapping of Patrini et al., CVPR 2017, used by nearly all later work: truck -> automobile,
# bird -> airplane, cat <-> dog, deer -> horse.
_CIFAR10 = {9: 1, 2: 0, 3: 5, 5: 3, 4: 7}

# shirt -> T-shirt, pullover <-> coat, sandal -> sneaker, sneaker -> ankle boot. No mapping of
# Fashion-MNIST is agreed on, so this one follows what looks alike: each arrow is the most frequent
# error of a 5-nearest-neighbour classifier on raw pixels (10,000 training images, 5,000 others;
# 19, 11, 15, 12 and 5 % of the source class). As in CIFAR-10's, five classes are sources, one pair
# is symmetric and no class is the destination of two.
_FASHION_MNIST = {6: 0, 2: 4, 4: 2, 5: 7, 7: 9}

#: Mappings that can be named, with the number of classes that they are made for.
NAMED_MAPPINGS = {'cifar10': (_CIFAR10, 10), 'fashion_mnist': (_FASHION_MNIST, 10)}


class LabelNoise(ABC):
    """Base of all generators: checks its arguments, and owns the random stream.

    A generator overrides :meth:`_corrupt` and :meth:`expected_rate`.

    Args:
        rate (float): Nominal noise rate, in [0, 1].
        seed (int): Seed of the random stream, in [0, 2**32). Defaults to 0.

    Raises:
        TypeError: ``rate`` is not a number, or ``seed`` not an integer.
        ValueError: ``rate`` or ``seed`` is outside its range.
    """

    def __init__(self, rate: float, seed: int = 0) -> None:
        if isinstance(rate, bool) or not isinstance(rate, Real):
            raise TypeError(f'noise rate must be a number in [0, 1], got {rate!r}')
        # Written so that NaN, for which every comparison is false, is refused too.
        if not 0 <= rate <= 1:
            raise ValueError(f'noise rate must be in [0, 1], got {rate}')
        if isinstance(seed, bool) or not isinstance(seed, Integral):
            raise TypeError(f'seed of the noise must be an integer, got {seed!r}')
        if not 0 <= seed < 2**32:
            raise ValueError(f'seed of the noise must be in [0, 2**32), got {seed}')
        self.rate = float(rate)
        self.seed = int(seed)

    def __call__(self, labels: np.ndarray, num_classes: int) -> np.ndarray:
        """Make given labels of true labels, which stay as they are.

        Args:
            labels (np.ndarray): True labels, integers in 0..K-1, shape (N,).
            num_classes (int): Number of classes K.

        Returns:
            np.ndarray: Given labels, int64, shape (N,). The same for every call.

        Raises:
            TypeError: The labels are not integers.
            ValueError: A label lies outside 0..K-1, or the generator does not suit K.
        """
        labels = check_labels(labels, num_classes, f'labels for {type(self).__name__}')
        return self._corrupt(labels, num_classes, np.random.RandomState(self.seed))

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

    def _choose(self, num_samples: int, rng: np.random.RandomState) -> np.ndarray:
        """Choose floor(rate * N) samples without replacement.

        The chosen samples of a lower rate are among those of a higher one with the same seed.
        """
        # The small number undoes binary fractions: 0.29 * 100 is 28.999999999999996.
        count = min(num_samples, math.floor(self.rate * num_samples + 1e-6))
        return rng.permutation(num_samples)[:count]

    def __repr__(self) -> str:
        return f'{type(self).__name__}(rate={self.rate:g}, seed={self.seed})'


@TASK_UTILS.register_module()
class SymmetricNoise(LabelNoise):
    """Symmetric noise, true class included.

    Chooses floor(rate * N) samples out of all, and gives each a label drawn uniformly from all K
    classes. As the true class can be drawn as well, the expected noise rate is rate * (K-1) / K:
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
        return self.rate * (num_classes - 1) / num_classes


@TASK_UTILS.register_module()
class AsymmetricNoise(LabelNoise):
    """Asymmetric noise: samples move to one class that resembles their own.

    Chooses floor(rate * N) samples out of all, and moves those whose class is a source in
    ``mapping``; other chosen samples keep their label. The rate is thus that of each source class,
    and the noise rate is lower: about 20 % on CIFAR-10 at a nominal 40 %. This is the variant of
    TCL and DivideMix.

    Args:
        rate (float): Share of samples that are chosen, in [0, 1].
        mapping (str | dict | list): Destination of each source class: ``{source: destination}``
            with integers or strings of digits as keys, a list of ``[source, destination]`` pairs
            (configs cannot hold integer keys everywhere), or the name ``'cifar10'`` or
            ``'fashion_mnist'``.
        seed (int): Seed of the random stream. Defaults to 0.

    Raises:
        TypeError: ``mapping`` is none of these.
        ValueError: ``mapping`` is empty, has an unknown name, a source twice or a class that is
            not an integer >= 0.
    """

    def __init__(self, rate: float, mapping: str | Mapping | Iterable, seed: int = 0) -> None:
        super().__init__(rate, seed)
        self.mapping_name = mapping if isinstance(mapping, str) else None
        self.mapping = _named_mapping(mapping)[0] if self.mapping_name else _parse(mapping)

    def _corrupt(self, labels: np.ndarray, num_classes: int, rng: np.random.RandomState) -> np.ndarray:
        destination = self._destination(num_classes)
        chosen = self._choose(len(labels), rng)
        labels[chosen] = destination[labels[chosen]]
        return labels

    def expected_rate(self, labels: np.ndarray, num_classes: int) -> float:
        """See :meth:`LabelNoise.expected_rate`."""
        labels = check_labels(labels, num_classes, f'labels for {type(self).__name__}')
        moves = self._destination(num_classes)[labels] != labels
        return self.rate * float(moves.mean()) if len(labels) else 0.0

    def _destination(self, num_classes: int) -> np.ndarray:
        """Destination of every class, int64, shape (K,); itself where it is no source."""
        if self.mapping_name and num_classes != _named_mapping(self.mapping_name)[1]:
            raise ValueError(
                f'mapping {self.mapping_name!r} is made for '
                f'{_named_mapping(self.mapping_name)[1]} classes, got {num_classes}'
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


def _named_mapping(name: str) -> tuple[dict[int, int], int]:
    if name not in NAMED_MAPPINGS:
        raise ValueError(f'unknown mapping {name!r}; known are {sorted(NAMED_MAPPINGS)}')
    return NAMED_MAPPINGS[name]


def _parse(mapping: Mapping | Iterable) -> dict[int, int]:
    """Bring a mapping from a config to ``{source: destination}``."""
    try:
        pairs = mapping.items() if isinstance(mapping, Mapping) else mapping
        pairs = [(source, target) for source, target in pairs]
    except (TypeError, ValueError):
        raise TypeError(
            'mapping must be a name, a dict {source: destination} or a list of '
            f'[source, destination], got {mapping!r}'
        ) from None
    if not pairs:
        raise ValueError(f'mapping is empty: {mapping!r}')
    parsed = {}
    for source, target in pairs:
        source, target = _parse_class(source), _parse_class(target)
        if source in parsed:
            raise ValueError(f'mapping has the source class {source} twice: {mapping!r}')
        parsed[source] = target
    return parsed


def _parse_class(value: int | str) -> int:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
        raise ValueError(f'class in mapping must be an integer >= 0, got {value!r}')
    return int(value)
