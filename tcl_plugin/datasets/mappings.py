# SPDX-License-Identifier: Apache-2.0
"""Which class the labels of another change to, by name or from a config."""

from collections.abc import Iterable, Mapping
from numbers import Integral

# The mapping of Patrini et al., CVPR 2017, used by nearly all later work: truck -> automobile,
# bird -> airplane, cat <-> dog, deer -> horse.
_CIFAR10 = {9: 1, 2: 0, 3: 5, 5: 3, 4: 7}

# shirt -> T-shirt, pullover <-> coat, sandal -> sneaker, sneaker -> ankle boot. No mapping of
# Fashion-MNIST is agreed on, so this one follows what looks alike: each arrow is the most frequent
# error of a 5-nearest-neighbour classifier on raw pixels (10,000 training images, 5,000 others;
# 19, 11, 15, 12 and 5 % of the source class). As in CIFAR-10's, five classes are sources, one pair
# is symmetric and no class is the destination of two.
_FASHION_MNIST = {6: 0, 2: 4, 4: 2, 5: 7, 7: 9}

# The five classes of each of CIFAR-100's superclasses, by their ids, which are in alphabetical order. Many codes
# take blocks of five consecutive ids instead, none of which is a superclass.
CIFAR100_SUPERCLASSES = (
    (4, 30, 55, 72, 95),  # aquatic mammals
    (1, 32, 67, 73, 91),  # fish
    (54, 62, 70, 82, 92),  # flowers
    (9, 10, 16, 28, 61),  # food containers
    (0, 51, 53, 57, 83),  # fruit and vegetables
    (22, 39, 40, 86, 87),  # household electrical devices
    (5, 20, 25, 84, 94),  # household furniture
    (6, 7, 14, 18, 24),  # insects
    (3, 42, 43, 88, 97),  # large carnivores
    (12, 17, 37, 68, 76),  # large man-made outdoor things
    (23, 33, 49, 60, 71),  # large natural outdoor scenes
    (15, 19, 21, 31, 38),  # large omnivores and herbivores
    (34, 63, 64, 66, 75),  # medium-sized mammals
    (26, 45, 77, 79, 99),  # invertebrates that are no insects
    (2, 11, 35, 46, 98),  # people
    (27, 29, 44, 78, 93),  # reptiles
    (36, 50, 65, 74, 80),  # small mammals
    (47, 52, 56, 59, 96),  # trees
    (8, 13, 48, 58, 90),  # vehicles 1
    (41, 69, 81, 85, 89),  # vehicles 2
)
_CIFAR100 = {
    source: target
    for members in CIFAR100_SUPERCLASSES
    for source, target in zip(members, members[1:] + members[:1], strict=True)
}

#: Mappings that can be named, with the number of classes that they are made for.
NAMED_MAPPINGS = {
    'cifar10': (_CIFAR10, 10),
    'cifar100_superclass': (_CIFAR100, 100),
    'fashion_mnist': (_FASHION_MNIST, 10),
}


def named_mapping(name: str) -> tuple[dict[int, int], int]:
    """Look up a mapping.

    Args:
        name (str): A key of :data:`NAMED_MAPPINGS`.

    Returns:
        tuple[dict[int, int], int]: Destination of each source class, and the number of classes K.

    Raises:
        ValueError: There is no such mapping.
    """
    if name not in NAMED_MAPPINGS:
        raise ValueError(f'unknown mapping {name!r}; known are {sorted(NAMED_MAPPINGS)}')
    return NAMED_MAPPINGS[name]


def parse_mapping(mapping: Mapping | Iterable) -> dict[int, int]:
    """Bring a mapping from a config to ``{source: destination}``.

    Args:
        mapping (dict | list): A dict with integers or strings of digits as keys, or a list of
            ``[source, destination]`` pairs.

    Returns:
        dict[int, int]: Destination of each source class.

    Raises:
        TypeError: It is neither.
        ValueError: It is empty, or has a source twice or a class that is not an integer >= 0.
    """
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
