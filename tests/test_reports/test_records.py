# SPDX-License-Identifier: Apache-2.0
"""Records of runs are read in one piece, resumed and begun anew; curves are drawn from them."""

import json

import pytest

from tcl_plugin.reports import plot_curves, read_record
from tcl_plugin.reports.pieces import latest_pieces
from tcl_plugin.reports.records import pieces_in


def write_piece(work_dir, name, epochs, accuracy):
    """Write the scalars of one piece of a run: lines of iterations, of detection and of validation."""
    lines = []
    for epoch in epochs:
        lines.append({'loss': 1.0, 'epoch': epoch, 'iter': 10 * epoch, 'step': 10 * epoch})
        lines.append({'label_noise/wrong_labels_fitted': 0.25, 'step': epoch})
        lines.append({'accuracy/top1': accuracy(epoch), 'time': 0.1, 'step': epoch})
    folder = work_dir / name / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))


def test_last_and_best(tmp_path):
    write_piece(tmp_path, '20260101_000000', [1, 2, 3], {1: 50.0, 2: 70.0, 3: 60.0}.get)
    record = read_record(tmp_path)
    assert (record.last_accuracy, record.best_accuracy, record.epochs) == (60.0, 70.0, 3)
    assert record.last('label_noise/wrong_labels_fitted') == 0.25
    assert 'loss' not in record.scalars and record.losses == {'loss': {1: 1.0, 2: 1.0, 3: 1.0}}
    with pytest.raises(ValueError, match='no record of auc'):
        record.last('auc')


def test_last_line_may_be_cut_short(tmp_path):
    write_piece(tmp_path, '20260101_000000', [1, 2], {1: 50.0, 2: 70.0}.get)
    (file,) = tmp_path.glob('*/vis_data/scalars.json')
    whole = file.read_text()
    file.write_text(whole[:-9])
    assert read_record(tmp_path).series('accuracy/top1') == {1: 50.0}
    file.write_text(f'{whole[:-9]}\n{whole}')
    with pytest.raises(ValueError, match='is no JSON'):
        read_record(tmp_path)


def test_pieces_of_a_resumed_run_are_joined(tmp_path):
    write_piece(tmp_path, '20260101_000000', [1, 2, 3], lambda epoch: 10.0 + epoch)
    write_piece(tmp_path, '20260101_000001', [3, 4], lambda epoch: 20.0 + epoch)
    assert read_record(tmp_path).series('accuracy/top1') == {1: 11.0, 2: 12.0, 3: 23.0, 4: 24.0}


def test_a_training_begun_anew_replaces_the_old_one(tmp_path):
    write_piece(tmp_path, '20260101_000000', [1, 2, 3], lambda epoch: 99.0)
    write_piece(tmp_path, '20260101_000001', [1, 2], lambda epoch: 20.0)
    record = read_record(tmp_path)
    assert (record.best_accuracy, record.epochs) == (20.0, 2)


def test_nothing_of_a_training_is_taken_for_that_of_the_next(tmp_path):
    """Also where the next one has recorded no result yet, or never does."""
    write_piece(tmp_path, '20260101_000000', [1, 2, 3], lambda epoch: 99.0)
    folder = tmp_path / '20260101_000001' / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(json.dumps({'loss': 2.0, 'epoch': 1, 'iter': 5, 'step': 5}))
    record = read_record(tmp_path)
    assert record.scalars == {} and record.losses == {'loss': {1: 2.0}}
    with pytest.raises(ValueError, match='no record of accuracy/top1'):
        _ = record.last_accuracy


def test_what_is_trained_again_is_not_known_before_it_is_measured(tmp_path):
    """A run that goes on from an earlier checkpoint, stopped before its first validation."""
    write_piece(tmp_path, '20260101_000000', [1, 2, 3], lambda epoch: 10.0 + epoch)
    folder = tmp_path / '20260101_000001' / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(json.dumps({'label_noise/wrong_labels_fitted': 0.5, 'step': 1}))
    info = dict(first_epoch=2, seconds=None, device='cpu', commit='c', command='train')
    (folder.parent / 'run.json').write_text(json.dumps(info))
    record = read_record(tmp_path)
    assert record.scalars['accuracy/top1'] == {1: 11.0}
    assert record.scalars['label_noise/wrong_labels_fitted'] == {1: 0.5}


@pytest.mark.parametrize(
    ('first', 'second'),
    [
        # The clock went back at the end of summer time.
        (dict(began='2026-10-25T02:50:00+0200'), dict(began='2026-10-25T02:10:00+0100')),
        # A machine whose clock is behind went on.
        (dict(began='2026-10-25T02:50:00+0200', piece=1), dict(began='2026-10-25T02:10:00+0200', piece=2)),
        # One that an earlier release began.
        (dict(began='2026-10-25T02:50:00+0200'), dict(began='2026-10-25T02:10:00+0200', piece=1)),
    ],
)
def test_pieces_go_by_more_than_their_names(first, second, tmp_path):
    """Otherwise epochs would be taken for such as were trained again."""
    for name, start, said in (('20261025_025000', 1, first), ('20261025_021000', 2, second)):
        write_piece(tmp_path, name, [start], lambda epoch: 10.0 + epoch)
        info = dict(first_epoch=start, seconds=None, device='cpu', commit='c', command='train')
        (tmp_path / name / 'run.json').write_text(json.dumps(info | said))
    assert read_record(tmp_path).series('accuracy/top1') == {1: 11.0, 2: 12.0}
    assert [piece.name for piece in latest_pieces(tmp_path)] == ['20261025_025000', '20261025_021000']
    # Of a time without a zone nothing follows.
    (tmp_path / '20261025_021000' / 'run.json').write_text(json.dumps(info | dict(began='2026-10-25T02:10:00')))
    assert [piece.name for piece in pieces_in(tmp_path)] == ['20261025_021000', '20261025_025000']


def test_a_run_that_counts_iterations(tmp_path):
    """Its pieces are joined by the steps of what they have recorded; each begins with the first epoch."""
    for name, steps in (('20260101_000000', (100, 200)), ('20260101_000001', (200, 300))):
        folder = tmp_path / name / 'vis_data'
        folder.mkdir(parents=True)
        lines = [{'loss': 1.0, 'iter': step, 'step': step} for step in steps]
        lines += [{'accuracy/top1': float(step), 'step': step} for step in steps]
        (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
        info = dict(first_epoch=1, seconds=None, device='cpu', commit='c', command='train')
        (folder.parent / 'run.json').write_text(json.dumps(info))
    assert read_record(tmp_path).series('accuracy/top1') == {100: 100.0, 200: 200.0, 300: 300.0}
    # A piece that has not been evaluated yet replaces nothing.
    folder = tmp_path / '20260101_000002' / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(json.dumps({'loss': 1.0, 'iter': 310, 'step': 310}))
    assert read_record(tmp_path).series('accuracy/top1') == {100: 100.0, 200: 200.0, 300: 300.0}


def test_results_that_are_numbered_by_iterations(tmp_path):
    """LoggerHook(log_metric_by_epoch=False): a run that was stopped is not to be taken for one of so many epochs."""
    lines = [
        {'loss': 1.0, 'epoch': 1, 'iter': 10, 'step': 10},
        {'label_noise/noise_rate': 0.25, 'step': 1},
        {'accuracy/top1': 50.0, 'step': 10},
        {'loss': 1.0, 'epoch': 2, 'iter': 20, 'step': 20},
    ]
    # What the stop has cut off is measured before the resumed run goes on.
    resumed = [{'accuracy/top1': 60.0, 'step': 20}, {'loss': 1.0, 'epoch': 3, 'iter': 30, 'step': 30}]
    for name, entries in (('20260101_000000', lines), ('20260101_000001', resumed)):
        folder = tmp_path / name / 'vis_data'
        folder.mkdir(parents=True)
        (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, entries)))
        begun = 1 if entries is lines else 3
        info = dict(first_epoch=begun, seconds=None, device='cpu', commit='c', command='train')
        (folder.parent / 'run.json').write_text(json.dumps(info))
    record = read_record(tmp_path)
    assert record.series('accuracy/top1') == {1: 50.0, 2: 60.0} and record.epochs == 2
    assert record.series('label_noise/noise_rate') == {1: 0.25}


@pytest.mark.parametrize('loop', ['by_epoch=False', "type='mmengine.IterBasedTrainLoop'", 'by_epoch=True'])
def test_all_lines_of_a_run_that_counts_iterations_may_be_of_epoch_1(loop, tmp_path):
    folder = tmp_path / '20260101_000000' / 'vis_data'
    folder.mkdir(parents=True)
    lines = [
        {'loss': 1.0, 'epoch': 1, 'iter': 22, 'step': 22},
        {'accuracy/top1': 20.0, 'step': 22},
        {'loss': 1.0, 'epoch': 1, 'iter': 44, 'step': 44},
        {'accuracy/top1': 40.0, 'step': 44},
    ]
    (folder / 'scalars.json').write_text('\n'.join(map(json.dumps, lines)))
    (folder / 'config.py').write_text(f'train_cfg = dict({loop})\n')
    expected = {1: 40.0} if 'True' in loop else {22: 20.0, 44: 40.0}
    assert read_record(tmp_path).series('accuracy/top1') == expected


def test_no_record(tmp_path):
    with pytest.raises(FileNotFoundError, match='no work directory'):
        read_record(tmp_path)


def test_curves_are_drawn(tmp_path):
    for name in ('a', 'b'):
        write_piece(tmp_path / name, '20260101_000000', [1, 2], lambda epoch: 10.0 * epoch)
    records = {name: read_record(tmp_path / name) for name in ('a', 'b')}
    plot_curves(records, tmp_path / 'curves.png', 'two runs')
    assert (tmp_path / 'curves.png').read_bytes().startswith(b'\x89PNG')
    for record in records.values():
        record.scalars.clear()
        record.losses.clear()
    with pytest.raises(ValueError, match='none of a, b has recorded'):
        plot_curves(records, tmp_path / 'none.png')
