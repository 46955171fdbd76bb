# SPDX-License-Identifier: Apache-2.0
"""Files of others: nothing in them is run, and no small one asks for much memory."""

import json
import struct
import zipfile

import numpy as np
import pytest
import torch
from hostile_files import Touch, npy_header, write_npz

from tcl_plugin.safe_files import check_torch_archive, parse_json, read_json, read_npy, read_npz

HUGE = 10**12


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('[NaN]', 'NaN is no number'),
        ('[-Infinity]', '-Infinity is no number'),
        ('{"a": {"b": 1, "b": 1}}', "the key 'b' twice"),
        ('[' * 100_000 + ']' * 100_000, 'too deeply'),
        ('{"a":' * 100_000 + '1' + '}' * 100_000, 'too deeply'),
        ('9' * 5000, 'digits'),
        ('[1', 'line 1'),
    ],
)
def test_json_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_json_is_read(tmp_path):
    content = {'a': [1, 2.5, None, True, 'é'], 'b': {'a': 1}}
    (tmp_path / 'a.json').write_text(json.dumps(content), encoding='utf-8-sig')
    assert read_json(tmp_path / 'a.json') == content
    assert np.isnan(parse_json('NaN', nan=True))


@pytest.mark.parametrize('array', [np.arange(6).reshape(2, 3), np.zeros(0), np.array(3.5), np.array(['a', 'bc'])])
def test_arrays_are_read(tmp_path, array):
    np.save(tmp_path / 'a.npy', array)
    np.savez_compressed(tmp_path / 'a.npz', a=array, b=array)
    found = [read_npy(tmp_path / 'a.npy'), read_npz(tmp_path / 'a.npz', {'a'}, most=6)['a']]
    for one in found:
        assert one.dtype == array.dtype and np.array_equal(one, array)
    assert read_npz(tmp_path / 'a.npz', {'a'}, most=6)['b'] is None


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (npy_header(HUGE), f'claims an array of shape .{HUGE},., {8 * HUGE} bytes, but it has'),
        (npy_header(HUGE, HUGE), 'claims'),
        (npy_header(10**9, dtype='<U1000'), 'claims'),
        (npy_header(-5), 'claims'),
        (npy_header(5, dtype='|O'), 'pickled objects'),
        (b'\x93NUMPY\x03\x00' + bytes(100), 'version 3.0'),
        (b'\x93NUMPY\x02\x00\xff\xff\xff\x7f{', 'EOF'),
        (b'nonsense', 'magic'),
        (b'', 'EOF'),
    ],
)
def test_arrays_are_refused_before_there_is_room_for_them(tmp_path, content, message):
    (tmp_path / 'a.npy').write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_npy(tmp_path / 'a.npy')
    write_npz(tmp_path / 'a.npz', a=content)
    with pytest.raises(ValueError, match=message):
        read_npz(tmp_path / 'a.npz', {'a'}, most=100)


def test_a_small_archive_of_a_large_array(tmp_path):
    path = write_npz(tmp_path / 'a.npz', a=npy_header(10**6) + bytes(8 * 10**6), b=npy_header(2) + bytes(16))
    assert path.stat().st_size < 20_000
    with pytest.raises(ValueError, match=r'a\.npy unpacks to 8,000,128 bytes, far more than expected'):
        read_npz(path, {'a'}, most=1000)
    few = write_npz(tmp_path / 'few.npz', a=npy_header(60_000, dtype='|i1') + bytes(60_000))
    with pytest.raises(ValueError, match=r'a\.npy has 60000 entries, far more than expected'):
        read_npz(few, {'a'}, most=1000)
    assert read_npz(path, {'b'}, most=1000)['b'].tolist() == [0, 0]


def test_archive_whose_member_is_no_array(tmp_path):
    with zipfile.ZipFile(tmp_path / 'a.npz', 'w') as archive:
        archive.writestr('a', b'bytes that numpy would hand out as they are')
    with pytest.raises(ValueError, match='magic'):
        read_npz(tmp_path / 'a.npz', {'a'}, most=1000)


def patched(path, offset, value):
    """Change an entry of the table of contents of an archive, or what it begins with."""
    content = bytearray(path.read_bytes())
    place = content.rindex(b'PK\x01\x02') + offset
    content[place : place + len(value)] = value
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ('offset', 'value', 'message'),
    [
        (8, b'\x01', 'encrypted'),
        (10, b'\x63', 'compression method'),
        (20, b'\x05', 'ended|EOF|incomplete|CRC'),
        (0, b'KP', 'central directory'),
    ],
)
def test_members_that_cannot_be_read(tmp_path, offset, value, message):
    path = patched(write_npz(tmp_path / 'a.npz', a=npy_header(2) + bytes(16)), offset, value)
    with pytest.raises(ValueError, match=message):
        read_npz(path, {'a'}, most=2)


def test_compressed_bytes_that_are_none(tmp_path):
    path = write_npz(tmp_path / 'a.npz', a=npy_header(2) + bytes(16))
    content = bytearray(path.read_bytes())
    start = 30 + len('a.npy')
    content[start : start + 8] = b'\xff' * 8
    path.write_bytes(content)
    with pytest.raises(ValueError, match='decompressing'):
        read_npz(path, {'a'}, most=2)


@pytest.mark.parametrize(('offset', 'value'), [(0, b'KP'), (6, b'\xff')], ids=['no table', 'of a later version'])
def test_checkpoints_whose_table_of_contents_is_damaged(tmp_path, offset, value):
    torch.save({'a': torch.zeros(2)}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match='it is damaged'):
        check_torch_archive(patched(tmp_path / 'a.pth', offset, value))


def test_pickles_in_arrays_are_not_loaded(tmp_path):
    objects = np.array([Touch(tmp_path / 'trace')], dtype=object)
    np.save(tmp_path / 'a.npy', objects, allow_pickle=True)
    np.savez(tmp_path / 'a.npz', a=objects)
    with pytest.raises(ValueError, match='may run code'):
        read_npy(tmp_path / 'a.npy')
    with pytest.raises(ValueError, match='may run code'):
        read_npz(tmp_path / 'a.npz', {'a'}, most=1000)
    assert not (tmp_path / 'trace').exists()


def test_compressed_checkpoints(tmp_path):
    torch.save({'a': torch.zeros(10_000)}, tmp_path / 'a.pth')
    torch.save({'a': torch.zeros(10)}, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    for name in ('a.pth', 'old.pth'):
        check_torch_archive(tmp_path / name)
    with zipfile.ZipFile(tmp_path / 'a.pth') as old, zipfile.ZipFile(tmp_path / 'b.pth', 'w', 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert torch.load(tmp_path / 'b.pth', weights_only=True)['a'].shape == (10_000,)  # torch itself would take it
    with pytest.raises(ValueError, match='would unpack to'):
        check_torch_archive(tmp_path / 'b.pth')


def test_a_small_archive_of_a_large_array_of_few_entries(tmp_path):
    """Neither long texts nor a long header are unpacked."""
    long = 10_000_000
    texts = npy_header(10, dtype=f'|S{long // 10}') + bytes(long)
    header = b'\x93NUMPY\x02\x00' + struct.pack('<I', long) + b' ' * long
    for content in (texts, header):
        path = write_npz(tmp_path / 'a.npz', a=content)
        assert path.stat().st_size < 100_000
        with pytest.raises(ValueError, match=r'unpacks to 10,000,[0-9]+ bytes, far more than expected'):
            read_npz(path, {'a'}, most=1000)
