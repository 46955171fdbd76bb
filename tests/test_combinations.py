# SPDX-License-Identifier: Apache-2.0
"""docs/combinations.md says what goes together: its table is the test."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from combination_cases import CASES, Shop
from combination_cases.workers import train_few, train_still

from tcl_plugin.evaluation import TABLE_NAME, read_label_table

PAGE = Path(__file__).resolve().parents[1] / 'docs' / 'combinations.md'
ROW = re.compile(r'\| `([a-z0-9-]+)` \| (.+) \| (works|works, .+|refused: `(.+)`) \|')


def rows() -> dict[str, str | None]:
    """What the page says of each case: None where it works, else what one is told. ``…`` stands for anything."""
    found = {}
    for line in PAGE.read_text(encoding='utf-8').splitlines():
        row = ROW.fullmatch(line)
        assert row or not line.startswith('| `'), f'no row of three cells: {line}'
        if row:
            assert row[1] not in found, f'{row[1]} has two rows'
            found[row[1]] = row[4]
    return found


ROWS = rows()


@pytest.fixture
def shop(tmp_path, monkeypatch, request):
    """Where cases train; see :class:`Shop`."""
    monkeypatch.setattr('mmengine.device.utils.DEVICE', 'cpu')
    monkeypatch.setattr('mmengine.config.config.FormatCode', lambda text, **kwargs: (text, False), raising=False)
    return Shop(tmp_path, monkeypatch, lambda: request.getfixturevalue('four_processes'))


def test_rows_and_cases_are_the_same():
    assert sorted(ROWS) == sorted(CASES)


@pytest.mark.parametrize('name', sorted(CASES))
def test_row(name, shop):
    told, expected = CASES[name](shop), ROWS[name]
    if expected is None:
        assert told is None, told
    else:
        pattern = '.*'.join(re.escape(part) for part in expected.split('…'))
        assert told is not None and re.fullmatch(pattern, told), told


# One process and several


@pytest.fixture(scope='module')
def alone(tmp_path_factory):
    """Runs of one process, made once for each method and number of samples."""
    runs = {}

    def run(method: str, size: int) -> tuple[dict, Path]:
        if (method, size) not in runs:
            folder = tmp_path_factory.mktemp('alone')
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr('mmengine.device.utils.DEVICE', 'cpu')
                runs[method, size] = train_still(0, str(folder), method, size, 1), folder
        return runs[method, size]

    return run


@pytest.mark.parametrize('method', ['tcl', 'elr', 'mcorrection'])
def test_four_equal_one(four_processes, alone, tmp_path, method):
    """Batches of 8 are shared out; the last of 20 samples has 4.

    Sums are taken in another order, so that float32 differs in its last digits, 1e-7 a step; six steps at a rate of
    0.1 leave room for a hundred times that. A clean probability is steep where two components meet, and its features
    are kept in half precision, which rounds at 1e-3.
    """
    results = four_processes(train_still, str(tmp_path), method, 20, 4)
    one, folder = alone(method, 20)
    for result in results:
        np.testing.assert_allclose(result['weights'], one['weights'], rtol=0, atol=1e-4)
        np.testing.assert_allclose(result['knowledge'], one['knowledge'], rtol=0, atol=2e-3)
        assert all(np.array_equal(result[key], results[0][key]) for key in result), 'processes differ'
    assert_same_checkpoint(tmp_path / 'epoch_2.pth', folder / 'epoch_2.pth')
    if method != 'elr':
        assert_same_table(tmp_path / TABLE_NAME, folder / TABLE_NAME)
    # One writer: one folder of records, one log, and as many checkpoints as epochs.
    assert len(list(tmp_path.glob('*/vis_data'))) == len(list(tmp_path.glob('*/*.log'))) == 1
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == ['epoch_1.pth', 'epoch_2.pth']


def assert_same_checkpoint(path: Path, other: Path) -> None:
    """Weights, statistics, and what lies beside them."""
    one, two = (torch.load(p, weights_only=True) for p in (path, other))
    assert one['state_dict'].keys() == two['state_dict'].keys() and one['meta']['iter'] == two['meta']['iter']
    for key, value in one['state_dict'].items():
        torch.testing.assert_close(value, two['state_dict'][key], rtol=0, atol=1e-4, msg=key)
    assert ('sample_state' in one) == ('sample_state' in two)
    if 'sample_state' in one:
        torch.testing.assert_close(one['sample_state'], two['sample_state'], rtol=0, atol=1e-4)


def assert_same_table(path: Path, other: Path) -> None:
    """Columns that are labels to the letter, and numbers to the tolerance."""
    one, two = read_label_table(path), read_label_table(other)
    for name in ('sample_idx', 'given_label', 'true_label', 'predicted_label', 'is_label_issue', 'suggested_label'):
        assert np.array_equal(getattr(one, name), getattr(two, name)), name
    for name in ('label_quality', 'clean_prob', 'suggested_prob', 'predicted_prob'):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=0, atol=2e-3, err_msg=name)


def test_fewer_samples_than_processes(four_processes, tmp_path):
    """All refuse at once, not only the one without samples, for which the others would wait; ELR makes no pass."""
    reason = 'a set of 3 samples leaves some of 4 processes without any: start fewer processes'
    assert four_processes(train_few, str(tmp_path / 'tcl'), 'tcl', 3) == [reason] * 4
    assert four_processes(train_few, str(tmp_path / 'elr'), 'elr', 3) == [None] * 4
    # Four samples are enough for each to have one.
    assert four_processes(train_few, str(tmp_path / 'enough'), 'tcl', 4) == [None] * 4


def test_samples_that_do_not_share_out(four_processes, tmp_path):
    """Twenty-two samples in four processes: the sampler deals two of them twice, the pass none."""
    results = four_processes(train_still, str(tmp_path), 'tcl', 22, 4)
    assert all(np.array_equal(result['knowledge'], results[0]['knowledge']) for result in results)
    assert len(read_label_table(tmp_path / TABLE_NAME).sample_idx) == 22
