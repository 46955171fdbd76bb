# SPDX-License-Identifier: Apache-2.0
"""Images that would stop a training are found, and no others."""

import cv2
import numpy as np
import pytest
from mmpretrain.registry import TRANSFORMS
from PIL import Image
from tree_builders import write_image

from tcl_plugin.auto_setup.images import find_unreadable

NOISE = np.random.RandomState(0).randint(256, size=(40, 40, 3)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path):
    write_image(tmp_path / 'good.jpg', 0, 2)
    write_image(tmp_path / 'GOOD.PNG', 0, 2)
    Image.fromarray(NOISE).convert('L').save(tmp_path / 'grey.tif')
    Image.fromarray(NOISE).convert('RGBA').save(tmp_path / 'clear.webp')
    Image.fromarray(NOISE).save(tmp_path / 'whole.jpg')
    (tmp_path / 'short.jpg').write_bytes((tmp_path / 'whole.jpg').read_bytes()[:1000])
    (tmp_path / 'empty.png').touch()
    (tmp_path / 'text.jpg').write_text('<html>not found</html>')
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_unreadable(folder):
    (folder / 'short.jpg').unlink()
    wrong = find_unreadable(folder, [*names(folder), 'gone.jpg', 'odd\udcff.png'])
    assert sorted(wrong) == ['empty.png', 'gone.jpg', 'odd\udcff.png', 'text.jpg']
    assert (wrong['empty.png'], wrong['text.jpg']) == ('the file is empty', 'OpenCV cannot read it')
    assert 'No such file' in wrong['gone.jpg'] and 'UTF-8' in wrong['odd\udcff.png']
    assert find_unreadable(folder, [*names(folder), 'odd\udcff.png'], decode=False).keys() == {'odd\udcff.png'}


def test_a_line_is_no_picture(folder):
    """Brought to the usual size it would fill the memory of a worker."""
    for name, size in {'line.png': (600, 1), 'strip.png': (600, 2)}.items():
        Image.new('RGB', size).save(folder / name)
    assert find_unreadable(folder, ['line.png', 'strip.png']) == {'line.png': '600 x 1 pixels are no picture'}


def test_training_says_the_same(folder):
    """Of a JPEG that is cut short, too, which some releases of OpenCV fill up and others refuse."""
    load, refused = TRANSFORMS.build(dict(type='LoadImageFromFile')), []
    for name in names(folder):
        try:
            assert load(dict(img_path=str(folder / name)))['img'].shape[2] == 3
        except (AssertionError, cv2.error):
            refused.append(name)
    assert refused == sorted(find_unreadable(folder, names(folder)))
