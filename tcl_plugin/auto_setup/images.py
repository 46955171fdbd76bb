# SPDX-License-Identifier: Apache-2.0
"""Which images cannot be read."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from ..progress import counted, progress
from .machine import usable_cores

#: An image this many times as long as it is wide is a fault: with its short side brought to 256 pixels, as pipelines
#: bring it, it would take 100 MB and more.
TOO_NARROW = 500
#: Images that wait for a thread at most.
AT_ONCE = 4_096


def find_unreadable(root: Path, images: Sequence[str], decode: bool = True) -> dict[str, str]:
    """Find the images that would stop a training.

    They are decoded as ``LoadImageFromFile`` does by default, by OpenCV, in as many threads as there are cores. Some
    releases of OpenCV fill up what is missing of a JPEG that is cut short; such images then count as readable.

    Args:
        root (Path): The folder.
        images (Sequence[str]): Paths below it.
        decode (bool): Whether to read the files, and not their names alone. Defaults to True.

    Returns:
        dict[str, str]: What is the matter with each image that cannot be read, by its path.
    """
    wrong = {path: 'its name is not in UTF-8' for path in images if not _is_text(path)}
    if decode:
        named = [path for path in images if path not in wrong]
        with ThreadPoolExecutor(usable_cores()) as pool, progress('images', len(named)) as advance:
            # All at once, a million would wait in memory.
            for start in range(0, len(named), AT_ONCE):
                some = named[start : start + AT_ONCE]
                found = pool.map(lambda path: _what_is_wrong(root / path), some)
                wrong |= {path: words for path, words in zip(some, counted(found, advance), strict=True) if words}
    return wrong


def _is_text(path: str) -> bool:
    # What is not UTF-8 in a name comes as lone surrogates.
    return not any('\ud800' <= letter <= '\udfff' for letter in path)


def _what_is_wrong(path: Path) -> str | None:
    try:
        content = np.fromfile(path, np.uint8)
        if not len(content):
            return 'the file is empty'
        image = cv2.imdecode(content, cv2.IMREAD_COLOR)
    except (OSError, cv2.error) as error:
        return ' '.join(str(error).split())
    if image is None:
        return 'OpenCV cannot read it'
    height, width = image.shape[:2]
    narrow = max(height, width) >= TOO_NARROW * min(height, width)
    return f'{width} x {height} pixels are no picture' if narrow else None
