# SPDX-License-Identifier: Apache-2.0
"""Fashion-MNIST from downloaded, extracted or packaged files, as images with three channels."""

import gzip
import math
import os
import zlib

import numpy as np
from mmengine import dist
from mmengine.logging import MMLogger
from mmpretrain.datasets import FashionMNIST
from mmpretrain.registry import DATASETS

# Type 8 (unsigned byte) with 3 dimensions (images) or 1 (labels), as an IDX file begins.
_IMAGES, _LABELS = 0x0803, 0x0801

# The training images take 47 million.
MOST_BYTES = 2**26


@DATASETS.register_module()
class FashionMNISTRGB(FashionMNIST):
    """Fashion-MNIST whose images have three equal channels.

    So transforms, networks and inferencers made for natural images take them as they are. Unlike
    in the parent, ``split`` alone decides what is read (``test_mode`` is about failing items), and
    ``data_root`` may be one of

    - a folder with the four ``.gz`` files, such as /usr/share/datasets/fashion-mnist of Debian's
      package dataset-fashion-mnist. Nothing is written there. Packages compress the files anew, so
      the published MD5 sums do not hold; the checksum inside gzip and the IDX header are checked;
    - a folder with the extracted files;
    - any other folder, to which mmpretrain downloads and extracts them if ``download`` is True.

    Args:
        data_root (str): The folder.
        split (str): ``'train'`` (60,000 images) or ``'test'`` (10,000). Defaults to ``'train'``.
        download (bool): Whether to download what is missing. Defaults to True.
        **kwargs: Other arguments of mmpretrain's ``FashionMNIST``.

    Each item has ``img`` (np.ndarray, uint8, shape (28, 28, 3)) and ``gt_label`` (int).

    Raises:
        RuntimeError: Files are missing and cannot be, or should not be, downloaded.
        ValueError: A file is damaged or not what its name says.
    """

    def load_data_list(self) -> list[dict]:
        """Load the images, with one channel to save memory, and labels of the split."""
        if dist.is_main_process() and not self._check_exists():
            self._fetch()
        dist.barrier()
        (image_file, _), (label_file, _) = self._split_files()
        image_path, label_path = self._find(image_file), self._find(label_file)
        assert image_path is not None and label_path is not None  # _fetch has seen to that
        images, labels = _read_idx(image_path, _IMAGES), _read_idx(label_path, _LABELS)
        if len(images) != len(labels):
            raise ValueError(f'{image_path} has {len(images)} images, but {label_path} {len(labels)} labels')
        return [{'img': image, 'gt_label': int(label)} for image, label in zip(images, labels, strict=True)]

    def get_data_info(self, idx: int) -> dict:
        """Get the data info of one image, with three channels."""
        info = super().get_data_info(idx)
        info['img'] = info['img'][..., None].repeat(3, axis=2)
        return info

    def _split_files(self) -> list[list[str]]:
        return self.train_list if self.split == 'train' else self.test_list

    def _find(self, filename: str) -> str | None:
        """Path of the extracted file, or of the compressed one, or None."""
        path = os.path.join(self.data_prefix['root'], filename)
        for candidate in (path.removesuffix('.gz'), path):
            if os.path.isfile(candidate):
                return candidate
        return None

    def _check_exists(self) -> bool:
        """Whether the files of the split are there, compressed or not."""
        return all(self._find(filename) for filename, _ in self._split_files())

    def _fetch(self) -> None:
        """Download what is missing, or say what is."""
        root = self.data_prefix['root']
        missing = [name for name, _ in self._split_files() if self._find(name) is None]
        hint = (
            f'Fashion-MNIST is not in {root!r}: {" and ".join(missing)} missing (or without .gz). '
            'Set data_root to a folder that holds the files'
        )
        if not self.download:
            raise RuntimeError(f'{hint}, or download=True.')
        try:
            self._download()
        except OSError as error:  # URLError and a full or read-only disk are among them
            raise RuntimeError(f'{hint}. The download failed: {error}') from error
        if not self._check_exists():
            raise RuntimeError(f'{hint}. The download did not bring them.')
        MMLogger.get_current_instance().info(f'Fashion-MNIST was downloaded to {root}')


def _read_idx(path: str, magic: int) -> np.ndarray:
    """Read a file in IDX format, as MNIST's authors define it, compressed or not.

    Args:
        path (str): The file.
        magic (int): The first four bytes: type and number of dimensions.

    Returns:
        np.ndarray: The content, uint8.

    Raises:
        ValueError: The file is damaged, or begins with other bytes.
    """
    open_file = gzip.open if path.endswith('.gz') else open
    ndim = magic & 0xFF
    try:
        with open_file(path, 'rb') as file:
            header = file.read(4 + 4 * ndim)
            found = int.from_bytes(header[:4], 'big')
            if found != magic:
                raise ValueError(f'{path} begins with {found:#010x}, expected {magic:#010x}')
            if len(header) < 4 + 4 * ndim:
                raise ValueError(f'{path} ends within its header, after {len(header)} bytes')
            shape = np.frombuffer(header, dtype='>u4', offset=4).tolist()
            size = math.prod(shape)
            if size > MOST_BYTES:
                raise ValueError(f'{path}: its header claims {shape}, more than any file of Fashion-MNIST has')
            # One more, to see whether there is more: a small file could unpack to anything.
            data = np.frombuffer(file.read(size + 1), dtype=np.uint8)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f'{path} is damaged: {error}') from error
    if len(data) != size:
        number = f'more than {size}' if len(data) > size else len(data)
        raise ValueError(f'{path} has {number} values, but its header says {shape}')
    return data.reshape(shape)
