# SPDX-License-Identifier: Apache-2.0
"""Label noise between the two classes that an image is most like, the more the less they can be told apart."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from mmpretrain.registry import TASK_UTILS

from ..safe_files import read_npy
from .noise import LabelNoise, check_rate

#: 1 less the function f of the margin d, by the paper's type.
KEEPING: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda d: (1 + d**2) / 2,
    2: lambda d: d**3,
    3: lambda d: (d**3 + d**2 + d) / 3,
}
#: What is scaled to reach a rate: the probability to keep the likeliest class, or to leave it.
SCALED = ('keep', 'flip')
# What rows of half-precision numbers may miss 1 by.
ROUNDING = 0.01


@TASK_UTILS.register_module()
class MarginDiminishingNoise(LabelNoise):
    r"""Polynomial-margin-diminishing noise: an image changes between its two likeliest classes.

    The noise of "Learning with Feature-Dependent Label Noise" (Zhang et al., ICLR 2021,
    https://arxiv.org/abs/2103.07756). With the likeliest class u of an image, the second s, and the margin
    :math:`d = \eta_u - \eta_s` between their probabilities, the given label is u with the probability

    .. math::
        \min\left(1, \frac{1 - f(d)}{c}\right), \qquad
        f_1 = \frac{1 - d^2}{2}, \quad f_2 = 1 - d^3, \quad f_3 = 1 - \frac{d^3 + d^2 + d}{3}

    and s otherwise. The number c is the one at which a share ``rate`` of all labels is expected to be s, as in the
    published code. For a large c an image without any doubt changes, too; ``scale='flip'`` takes s with the
    probability :math:`\min(1, f(d) / c)` instead, as the paper's words may be read: then the likelier an image is of
    one class alone, the rarer it changes, down to never. The two are not the same noise.

    As in the paper the data set's own labels do not enter: where u is another class, it is a wrong label, and s may
    be the true one. The expected noise rate is therefore not quite ``rate``.

    The paper takes :math:`\eta` from a PreActResNet-34 that was trained for 25 epochs on the true labels. Here any
    file will do: ``pred_probs.npy`` is what ``LabelNoiseHook(export=True)`` writes.

    Args:
        probs (np.ndarray | str): Probability :math:`\eta` of each class for each image, in the order of the data
            set, shape (N, K); or a ``.npy`` file that holds it.
        rate (float): Share of labels that are s, in [0, 1]. The paper has 0.35 and 0.7.
        kind (int): 1, 2 or 3, the paper's type. Defaults to 1.
        scale (str): ``'keep'`` or ``'flip'``, see above. Defaults to ``'keep'``.
        seed (int): Seed of the random stream: one uniform number for each image. Defaults to 0.

    Raises:
        FileNotFoundError: There is no such file.
        TypeError: ``rate`` or the probabilities are not numbers.
        ValueError: ``rate``, ``kind`` or ``scale`` is none of those; the probabilities are no K for each image; no
            c makes the rate, because too many images have no margin, or no doubt; or, by a call, N or K are not
            those of the labels.
    """

    rate: float

    def __init__(
        self, probs: np.ndarray | str, rate: float, kind: int = 1, seed: int = 0, scale: str = 'keep'
    ) -> None:
        super().__init__(seed)
        self.rate = check_rate(rate)
        if scale not in SCALED:
            raise ValueError(f"scale of MarginDiminishingNoise must be 'keep' or 'flip', got {scale!r}")
        self.scale = scale
        if kind not in KEEPING:
            raise ValueError(f'kind of MarginDiminishingNoise must be 1, 2 or 3, got {kind!r}')
        self.kind = int(kind)
        self.source = str(probs) if isinstance(probs, (str, Path)) else 'array'
        entries = _read_probs(Path(probs)) if isinstance(probs, (str, Path)) else np.asarray(probs)
        self._num_classes = _check_probs(entries, self.source)
        self._first, self._second, margin = _two_likeliest(entries)
        keeping = KEEPING[self.kind](margin)
        if scale == 'keep':
            self._stays = _scaled(keeping, 1 - self.rate, self.source)
        else:
            self._stays = 1 - _scaled(1 - keeping, self.rate, self.source)

    def _corrupt(self, labels: np.ndarray, num_classes: int, rng: np.random.RandomState) -> np.ndarray:
        if (len(labels), num_classes) != (len(self._first), self._num_classes):
            raise ValueError(
                f'probabilities {self.source} are for {len(self._first)} images and {self._num_classes} classes, but '
                f'the data set has {len(labels)} and {num_classes}'
            )
        return np.where(rng.random_sample(len(labels)) < self._stays, self._first, self._second)

    def expected_rate(self, labels: np.ndarray, num_classes: int) -> float:
        """See :meth:`LabelNoise.expected_rate`.

        Args:
            labels (np.ndarray): True labels, shape (N,). Where they are those of other images, such as of some that
                a wrapper repeats, the share of labels that are s is all that can be said.
            num_classes (int): Number of classes K.

        Returns:
            float: The rate.
        """
        if len(labels) != len(self._first) or not len(labels):
            return self.rate
        wrong = self._stays * (self._first != labels) + (1 - self._stays) * (self._second != labels)
        return float(wrong.mean())

    def __repr__(self) -> str:
        options = f'rate={self.rate:g}, kind={self.kind}, scale={self.scale}, seed={self.seed}'
        return f'{type(self).__name__}(probs={self.source}, {options})'


def _read_probs(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f'probabilities {path} do not exist, or are no file')
    try:
        return read_npy(path)
    except (TypeError, ValueError, EOFError, OSError) as error:
        raise ValueError(f'probabilities {path}: cannot be read: {error}') from error


def _check_probs(probs: np.ndarray, source: str) -> int:
    """Refuse what are no probabilities; return K."""
    if probs.dtype.kind not in 'fiu':
        raise TypeError(f'probabilities {source}: expected numbers, got {probs.dtype}')
    if probs.ndim != 2 or probs.shape[1] < 2:
        raise ValueError(
            f'probabilities {source}: expected those of two classes or more for each image, got shape {probs.shape}'
        )
    # Written so that NaN, for which every comparison is false, is refused too.
    wrong = np.flatnonzero(~((probs >= 0).all(axis=1) & (np.abs(probs.sum(axis=1, dtype=np.float64) - 1) < ROUNDING)))
    if len(wrong):
        raise ValueError(f'probabilities {source}: row {wrong[0]} is not K numbers from 0 on that sum to 1')
    return probs.shape[1]


def _two_likeliest(probs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The likeliest class of each image, the second, and the margin between them; of equals the lower first."""
    order = np.argsort(-probs.astype(np.float64), axis=1, kind='stable')[:, :2]
    values = np.take_along_axis(probs, order, axis=1).astype(np.float64)
    return order[:, 0], order[:, 1], values[:, 0] - values[:, 1]


def _scaled(probs: np.ndarray, mean: float, source: str) -> np.ndarray:
    """Probabilities min(1, probs / c) of the given mean."""
    if mean in (0, 1):
        return np.full(len(probs), mean)
    most = float((probs > 0).mean()) if len(probs) else 1.0
    if mean > most:
        raise ValueError(
            f'probabilities {source}: by noise of this kind no more than {most:.4f} of the images can have a label '
            f'that {mean:g} of them are to have'
        )
    # The mean falls as c rises. Six digits of c are the same on every machine.
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if np.minimum(1, probs / np.exp(middle)).mean() < mean else (middle, high)
    return np.minimum(1, probs / float(f'{np.exp(low):.6g}'))
