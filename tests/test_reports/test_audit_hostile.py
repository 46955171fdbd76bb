# SPDX-License-Identifier: Apache-2.0
"""Names of classes and files are text on the page of an audit, whatever is in them; deep images keep their grey."""

import base64
import hashlib
import io
import json
import os
import struct
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from audit_builders import audit_of, folder_dataset, page_of
from mmengine.registry import DefaultScope
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tcl_plugin.evaluation import read_label_table, write_label_table
from tcl_plugin.reports.audit import make_thumbnails, summarise, write_label_lists
from tcl_plugin.reports.audit.page import embed
from tcl_plugin.reports.audit.summary import to_json
from tcl_plugin.reports.audit.thumbnails import read_image

CLASSES = ['</script><script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "<!--' \u2028 & ]]>"]
# The page is a text with places such as this one to fill.
RUN = '<b>{{script}}</b>'
NAME = "\"><svg onload=alert(1)> '=1+1'.png"


class Page(HTMLParser):
    """Collects the elements of a page, and the texts of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements, self.scripts, self.titles = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag == 'script':
            self.scripts.append('')

    def handle_data(self, data):
        if self.elements and self.elements[-1][0] == 'script':
            self.scripts[-1] += data
        if self.elements and self.elements[-1][0] == 'title':
            self.titles.append(data.strip())


@pytest.fixture(scope='module')
def audit(tmp_path_factory):
    """Twelve images of three classes with such names, one in a file with such a name."""
    folder = tmp_path_factory.mktemp('images')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        folder_dataset(folder)
        (folder / 'class_0' / '000.png').rename(folder / 'class_0' / NAME)
        (folder / 'class_0' / '001.png').rename(folder / 'class_0' / os.fsdecode(b'caf\xe9.png'))
        dataset = folder_dataset(folder, CLASSES, per_class=0)
    given = dataset.given_labels
    return audit_of(dataset, (given + 1) % 3, np.full(len(given), True), name=RUN)


def test_page(audit, tmp_path):
    text = page_of(audit, tmp_path / 'index.html').read_text(encoding='utf-8')
    page = Page(text)
    tags = [tag for tag, _ in page.elements]
    assert tags.count('script') == 2 and tags.count('img') == 1  # the data, the program, and the template of a card
    assert 'svg' not in tags and 'b' not in tags
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith('on')]
    assert ''.join(page.titles) == f'Doubtful labels of {RUN}'
    data = json.loads(page.scripts[0])
    assert data['classes'] == CLASSES and data['run'] == RUN
    paths = [card['path'].rsplit('/', 1)[1] for card in data['cards']]
    assert NAME in paths and 'caf\udce9.png' in paths


def test_policy_lets_nothing_else_run_and_loads_nothing(audit, tmp_path):
    text = page_of(audit, tmp_path / 'index.html').read_text(encoding='utf-8')
    (rules,) = [attrs['content'] for _, attrs in Page(text).elements if 'http-equiv' in attrs]
    policy = dict(rule.split(' ', 1) for rule in rules.split('; '))
    for name in ('script', 'style'):
        content = text.rpartition(f'<{name}>')[2].partition(f'</{name}>')[0]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert policy.pop(f'{name}-src') == f"'sha256-{digest}'"
    nothing = dict.fromkeys(('default-src', 'base-uri', 'form-action'), "'none'")
    assert policy == nothing | {'img-src': 'data:'}


@pytest.mark.parametrize(
    'text', ['</script>', '</SCRIPT >', '<!--<script>', ']]>', '&lt;', '\u2028\u2029', '\\u003c', '"\\']
)
def test_json_inside_a_page(text):
    inside = embed({text: [text]})
    assert not set('<>&\u2028\u2029') & set(inside)
    assert json.loads(inside) == {text: [text]}


def test_no_number_that_json_has_not():
    with pytest.raises(ValueError, match='JSON compliant'):
        embed([float('nan')])


def test_tables_keep_such_names(audit, tmp_path):
    write_label_table(tmp_path / 'table.csv', audit.table)
    found = read_label_table(tmp_path / 'table.csv')
    assert found.img_path.tolist() == list(audit.table.img_path)
    assert found.given_class.tolist() == audit.table.given_class.tolist()
    files = write_label_lists(audit.dataset, audit.corrected, tmp_path, 'corrected')
    assert [path.name for path in files] == ['corrected_labels.csv', 'corrected_annotations.csv']
    json.loads(to_json(summarise(audit)))


def shown(thumbnail):
    """The pixels of a thumbnail."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(thumbnail.uri.partition(',')[2]))))


@pytest.mark.parametrize('suffix', ['.png', '.tif', '.pgm'])
def test_grey_of_16_bits_is_not_white(tmp_path, suffix):
    """As training sees it, on the page and in the gallery: the upper eight bits."""
    grey = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1024 + 300
    path = tmp_path / f'deep{suffix}'
    assert cv2.imwrite(str(path), grey)
    files = Files(path)
    expected = np.repeat((grey >> 8)[..., None], 3, axis=2)
    assert np.array_equal(cv2.imread(str(path)), expected)
    (thumbnail,) = make_thumbnails(files, [0])
    assert np.array_equal(shown(thumbnail), expected)
    assert np.array_equal(np.asarray(read_image(files.get_data_info(0)).convert('RGB')), expected)


# Entries of a TIFF directory: number, type, count and value.
SIDEWAYS = struct.pack('<HHIHH', 0x112, 3, 1, 6, 0)
ODD = {
    'resolution in letters': struct.pack('<HHI4s', 0x11A, 2, 4, b'72'),
    'width in letters': struct.pack('<HHI4s', 0x100, 2, 4, b'abc'),
}


@pytest.mark.parametrize('tag', ODD)
def test_a_camera_that_writes_odd_tags_costs_nothing(tmp_path, tag):
    """The image is shown upright, as training sees it."""
    entries = [SIDEWAYS, ODD[tag]]
    directory = struct.pack('<H', len(entries)) + b''.join(entries) + struct.pack('<I', 0)
    exif = b'Exif\0\0II*\0' + struct.pack('<I', 8) + directory
    content = io.BytesIO()
    pixels = np.zeros((20, 30, 3), dtype=np.uint8)
    pixels[:10, :15] = 255
    Image.fromarray(pixels).save(content, 'JPEG', quality=95, exif=exif)
    path = tmp_path / 'sideways.jpg'
    path.write_bytes(content.getvalue())
    (thumbnail,) = make_thumbnails(Files(path), [0])
    seen = cv2.imread(str(path))
    assert seen.shape == (30, 20, 3) and np.abs(shown(thumbnail).astype(int) - seen).max() < 20


@pytest.mark.parametrize('turn', [3, 6])
def test_a_tiff_is_turned_once(tmp_path, turn):
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x112] = turn
    image.save(tmp_path / 'turned.tif', exif=exif)
    seen = cv2.imdecode(np.fromfile(tmp_path / 'turned.tif', np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.array_equal(seen, np.rot90(pixels, 2 if turn == 3 else -1))
    assert np.array_equal(shown(*make_thumbnails(Files(tmp_path / 'turned.tif'), [0])), seen)


def test_an_image_with_a_long_text_is_shown(tmp_path):
    """As programs write their settings; Pillow refuses to unpack so much."""
    pixels = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    texts = PngInfo()
    texts.add_itxt('XML:com.adobe.xmp', 'x' * 2_000_000, zip=True)
    Image.fromarray(pixels).save(tmp_path / 'long.png', pnginfo=texts)
    (tmp_path / 'broken.pgm').write_bytes(b'P5 x')
    right, broken = make_thumbnails(Files(tmp_path / 'long.png', tmp_path / 'broken.pgm'), [0, 1])
    assert np.array_equal(shown(right), pixels)
    assert broken.uri is None and broken.error == f'cannot read {tmp_path / "broken.pgm"}'


class Files:
    """A data set of image files."""

    def __init__(self, *paths):
        self.paths = paths

    def get_data_info(self, index):
        return dict(img_path=str(self.paths[index]))
