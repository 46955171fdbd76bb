# SPDX-License-Identifier: Apache-2.0
"""Runs are read from their work directories, and put into tables whose figures are right."""

import csv
import io
import json
from pathlib import Path

import pytest
from mmengine.config import Config
from written_runs import SYM80, write_run

from tcl_plugin.reports import find_runs, images_of_part, read_run, title_of
from tcl_plugin.reports.tables import (
    VALUES,
    methods_against_noises,
    one_row_each,
    one_row_each_method,
    to_csv,
    to_latex,
    to_markdown,
)


def test_a_run_is_what_it_says(tmp_path):
    accuracy = [50.0, 90.0, *[70.0 + i for i in range(10)]]
    run = read_run(write_run(tmp_path, 'tcl_r18_cifar10_sym80', accuracy, seed=3, auc=0.9))
    assert (run.method, run.setting, run.noise, run.seed) == ('tcl', 'r18_cifar10', 'sym80', 3)
    assert (run.last, run.best, run.tail, run.epochs) == (79.0, 90.0, 74.5, 12)
    assert (run.noise_rate, run.auc, run.fitted, run.estimated) == (0.72, 0.9, 0.1, None)
    assert (run.seconds, run.device, run.commit, run.command) == (63.0, 'a CPU', 'abc', 'python tcl_r18_cifar10_sym80')
    assert run.finished


# Of symmetric noise; some of them are no binary fractions.
RATES = {0.125: 'sym12.5', 0.375: 'sym37.5', 0.285: 'sym28.5', 0.004: 'sym0.4', 0.29: 'sym29', 1: 'sym100'}


@pytest.mark.parametrize(
    ('labels', 'name'),
    [
        (SYM80, 'sym80'),
        ("noise=dict(type='AsymmetricNoise', rate=0.4, mapping='cifar10')", 'asym40'),
        ("noise=dict(type='AsymmetricNoise', rate=0.4, mapping={0: 1})", 'asym40, own mapping'),
        ("noise=dict(type='AsymmetricPerClassNoise', rate=0.4, mapping='cifar10')", 'AsymmetricPerClassNoise 0.4'),
        (
            "noise=dict(type='AsymmetricPerClassNoise', rate=0.4, mapping=[[0, 1]])",
            'AsymmetricPerClassNoise 0.4, own mapping',
        ),
        *((f"noise=dict(type='SymmetricNoise', rate={rate})", name) for rate, name in RATES.items()),
        ("noise=dict(type='OwnNoise', rate=[0.1, 0.2])", 'OwnNoise'),
        ("noise=dict(type='InstanceDependentNoise', rate=0.4)", 'idn40'),
        ("noise=dict(type='MarginDiminishingNoise', probs='p.npy', rate=0.35)", 'pmd1-35'),
        ("noise=dict(type='MarginDiminishingNoise', probs='p.npy', rate=0.125)", 'pmd1-12.5'),
        ("noise=dict(type='MarginDiminishingNoise', rate=0.7, kind=3, scale='flip')", 'pmd3-70 flip'),
        ("noise=dict(type='SymmetricExclusiveNoise', rate=0.4)", 'SymmetricExclusiveNoise 0.4'),
        ("noise=dict(type='TransitionMatrixNoise', matrix='m.npy')", 'TransitionMatrixNoise'),
        ("label_file='data/CIFAR-10_human.pt', label_key='worse_label'", 'CIFAR-10_human.pt worse_label'),
        ("label_file='labels.npy'", 'labels.npy'),
        ("type='NoisyLabelDataset'", 'own labels'),
        ("dataset=dict(type='CSVDataset', ann_file='tables/mine.csv')", 'mine.csv'),
        # An audit calls its files the same each time.
        ("dataset=dict(type='CSVDataset', ann_file='/w/run/audit/cleaned.csv')", 'run/audit/cleaned.csv'),
        ("label_file='work_dirs/run/audit/cleaned_labels.csv'", 'run/audit/cleaned_labels.csv'),
        ("label_file='sweep/run/seed0/audit/cleaned_labels.csv'", 'run/seed0/audit/cleaned_labels.csv'),
        # A list without images that have been deleted is still one's own.
        ("dataset=dict(type='CSVDataset', ann_file='w/lists/own_train_2186863f_b1595504.csv')", 'own list 2186863f'),
        ("dataset=dict(type='CSVDataset', ann_file='w/lists/train_bb923f60.csv')", 'own labels'),
        (SYM80 + ", open_set=dict(type='OpenSetNoise', rate=0.3)", 'sym80+open30'),
        ("open_set=dict(type='OpenSetNoise', rate=0.3)", 'own labels+open30'),
        (SYM80 + ", open_set=dict(type='OpenSetNoise', rate=0.005)", 'sym80+open0.5'),
    ],
)
def test_noise_is_named_by_the_config_itself(labels, name, tmp_path):
    """The name of the config may speak of another noise, which was replaced on the command line."""
    for config in ('elr_r18_cifar10_sym90', 'elr_r18_cifar10_sym90_open30'):
        run = read_run(write_run(tmp_path, config, [50.0], labels=labels))
        assert (run.method, run.setting, run.noise) == ('elr', 'r18_cifar10', name)


@pytest.mark.parametrize(
    ('measured', 'mean'),
    [
        ({epoch: 2.0 * epoch for epoch in range(5, 55, 5)}, 95.0),  # of 45 and 50
        ({20: 40.0, 31: 10.0, 41: 20.0}, 20.0),
        ({5: 40.0, 10: 50.0}, 45.0),
    ],
)
def test_the_last_ten_are_epochs(measured, mean, tmp_path):
    """Not evaluations: of every fifth epoch, two are of the last ten."""
    work_dir = write_run(tmp_path, 'tcl_digits_sym80', [50.0], epochs=max(measured))
    lines = [json.dumps({'accuracy/top1': value, 'step': epoch}) for epoch, value in measured.items()]
    (work_dir / '20260101_000000' / 'vis_data' / 'scalars.json').write_text('\n'.join(lines))
    assert read_run(work_dir).tail == mean


def test_a_run_that_counts_iterations_has_the_mean_of_ten_evaluations(tmp_path):
    work_dir = write_run(tmp_path, 'tcl_digits_sym80', [50.0])
    config = work_dir / '20260101_000000' / 'vis_data' / 'config.py'
    config.write_text(config.read_text().replace('max_epochs=1', 'by_epoch=False, max_iters=1200'))
    lines = [json.dumps({'accuracy/top1': float(step), 'step': 100 * step}) for step in range(1, 13)]
    (config.parent / 'scalars.json').write_text('\n'.join(lines))
    assert read_run(work_dir).tail == 7.5


def test_runs_that_were_stopped_early(tmp_path):
    """They have come to their end, each at another epoch, and are seeds of one another all the same."""
    for seed, accuracy in enumerate(([50.0, 60.0], [50.0, 60.0, 62.0], [50.0, 60.0, 64.0, 66.0])):
        told = dict(stopped_early=True) if len(accuracy) < 4 else {}
        write_run(tmp_path, 'tcl_digits_sym80', accuracy, seed=seed, epochs=4, **told)
    runs = [read_run(folder) for folder in find_runs([tmp_path])]
    assert [(run.finished, run.stopped_early) for run in runs] == [(True, True), (True, True), (True, False)]
    (_, row) = one_row_each_method(runs)
    assert row[3:5] == ['0 1 2', '2 to 4, stopped early']
    assert one_row_each(runs)[1][4] == '2, stopped early' and len(methods_against_noises(runs)) == 2
    # Resumed, and stopped again.
    write_run(tmp_path, 'tcl_digits_sym80', [61.0], epochs=4, start=3)
    assert not read_run(runs[0].work_dir).finished


def test_pieces_of_a_run(tmp_path):
    write_run(tmp_path, 'tcl_digits_sym80', [50.0, 60.0], epochs=4)
    work_dir = tmp_path / 'tcl_digits_sym80' / 'seed0'
    assert not read_run(work_dir).finished
    write_run(tmp_path, 'tcl_digits_sym80', [70.0, 65.0], epochs=4, start=3)
    run = read_run(work_dir)
    assert run.finished and (run.last, run.best, run.seconds) == (65.0, 70.0, 120.0)
    # A stopped piece does not say how long it took.
    info = work_dir / '20260101_000000' / 'run.json'
    info.write_text(info.read_text().replace('60.0', 'null'))
    assert read_run(work_dir).seconds is None


def test_commits_and_devices_of_all_pieces_are_told_and_the_command_that_began(tmp_path):
    name = 'tcl_digits_sym80'
    write_run(tmp_path, name, [50.0, 60.0], epochs=4, commit='old', device='a GPU', processes=4)
    write_run(tmp_path, name, [70.0, 65.0], epochs=4, start=3, commit='new', command='python again', processes=2)
    run = read_run(tmp_path / name / 'seed0')
    assert (run.commit, run.device, run.command) == ('old, new', '4 x a GPU, 2 x a CPU', f'python {name}')
    assert run.changed  # a batch on four processes is not one on two
    # All that the second piece trained was trained again.
    write_run(
        tmp_path, name, [61.0, 71.0, 66.0], epochs=4, start=2, day=4, commit='newest', device='a GPU', processes=4
    )
    run = read_run(tmp_path / name / 'seed0')
    assert (run.commit, run.device, run.changed, run.last) == ('old, newest', '4 x a GPU', False, 66.0)


def test_a_run_that_went_on_otherwise_is_no_seed_of_one_that_did_not(tmp_path):
    name = 'tcl_digits_sym80'
    write_run(tmp_path, name, [50.0, 60.0, 70.0, 65.0], seed=1)
    write_run(tmp_path, name, [50.0, 60.0], epochs=4)
    write_run(tmp_path, name, [70.0, 65.0], epochs=4, start=3, labels=SYM80 + ', num_classes=10')
    runs = [read_run(work_dir) for work_dir in find_runs([tmp_path])]
    assert [run.changed for run in runs] == [True, False]
    assert sorted(cells(one_row_each_method(runs), 'seeds', 'epochs')) == [('0', '4, changed on the way'), ('1', '4')]


def test_a_run_goes_on_with_the_seed_that_it_began_with(tmp_path):
    name = 'tcl_digits_sym80'
    work_dir = write_run(tmp_path, name, [50.0, 60.0], epochs=4)
    write_run(tmp_path, name, [70.0, 65.0], epochs=4, start=3)
    config = work_dir / '20260103_000000' / 'vis_data' / 'config.py'
    config.write_text(config.read_text().replace('randomness = dict(seed=0)', 'randomness = dict(seed=5)'))
    run = read_run(work_dir)
    assert (run.seed, run.data_seeds, run.changed) == (0, (0,), False)


def test_seeds_of_training_and_noise(tmp_path):
    """They are told apart, and runs that differ in the seed of the noise alone are different runs."""
    for folder, noise_seed in (('a', 0), ('b', 1)):
        write_run(tmp_path / folder, 'tcl_digits_sym80', [50.0], seed=1, noise_seed=noise_seed)
    open_set = SYM80 + ", open_set=dict(type='OpenSetNoise', rate=0.3, seed=7)"
    write_run(tmp_path / 'c', 'ce_digits_sym80', [50.0], seed=1, labels=open_set)
    runs = [read_run(work_dir) for work_dir in find_runs([tmp_path])]
    assert sorted(cells(one_row_each_method(runs), 'seeds')) == [('1 (data 0) 1',), ('1 (data 7)',)]


def made_by(rate=0.5, seed=0, kind='SymmetricNoise', **told):
    """What a run records of a label file that says how it was made."""
    made = dict(kind=kind, parameters=dict(rate=rate), nominal_rate=rate, seed=seed, given_labels_sha256=f'{seed}')
    return dict(open_set_nominal_rate=None, open_set_seed=None) | made | told


OPENED = dict(kind=None, parameters={}, open_set_nominal_rate=0.3, open_set_seed=4)


@pytest.mark.parametrize(
    ('labels', 'made', 'name', 'seeds'),
    [
        ('', made_by(), 'sym50 (file)', (0,)),
        ("label_key='noise_labels'", made_by(0.125, 3), 'sym12.5 (file)', (3,)),
        (
            '',
            made_by(kind='AsymmetricNoise', parameters=dict(rate=0.4, mapping={'0': 1})),
            'asym40, own mapping (file)',
            (0,),
        ),
        ('', made_by(kind='MarginDiminishingNoise', parameters=dict(rate=0.7, kind=3)), 'pmd3-70 (file)', (0,)),
        ('', made_by(kind='OwnNoise', parameters={}, seed=None), 'OwnNoise (file)', ()),
        ("open_set=dict(type='OpenSetNoise', seed=9)", made_by() | OPENED, 'own labels+open30 (file)', (4,)),
        ("open_set=dict(type='OpenSetNoise', rate=0.2, seed=9)", made_by(), 'sym50+open20 (file)', (0, 9)),
        ('', None, 'labels.npy', ()),
    ],
)
def test_a_file_is_named_by_how_it_was_made(labels, made, name, seeds, tmp_path):
    labels, told = f"label_file='a/labels.npy', {labels}", {} if made is None else dict(labels_made=made)
    work_dir = write_run(tmp_path, 'ce_digits_sym90', [50.0], labels=labels, **told)
    run = read_run(work_dir)
    assert (run.noise, run.data_seeds, run.changed) == (name, seeds, False)
    assert title_of(work_dir) == f'ce · digits · {name}'


def write_from_files(folder, *files, **changes):
    """A run for each of several files of noise, by what is recorded of it."""
    for number, made in enumerate(files):
        labels = f"label_file='{number}/labels.npy'"
        write_run(folder / str(number), 'ce_digits_sym80', [50.0 + number], labels=labels, labels_made=made, **changes)
    return [read_run(work_dir) for work_dir in find_runs([folder])]


def test_files_of_several_seeds_are_seeds_of_one_another(tmp_path):
    """Wherever they lie; not files of other noise, nor runs that made the same noise themselves."""
    write_run(tmp_path / 'made', 'ce_digits_sym80', [60.0], labels="noise=dict(type='SymmetricNoise', rate=0.5)")
    runs = write_from_files(tmp_path, made_by(), made_by(seed=1), made_by(0.8))
    assert cells(one_row_each_method(runs), 'noise', 'seeds', 'last (%)') == [
        ('sym50', '0', '60.0'),
        ('sym50 (file)', '0 0 (data 1)', '50.5 ± 0.7'),
        ('sym80 (file)', '0', '52.0'),
    ]
    assert methods_against_noises(runs)[0][3:] == ['sym50', 'sym50 (file)', 'sym80 (file)']


def test_files_of_noise_without_a_seed_are_told_apart_by_their_labels(tmp_path):
    own = made_by(kind='OwnNoise', seed=None)
    runs = write_from_files(tmp_path, own, own | dict(given_labels_sha256='other'))
    assert len({run.recipe for run in runs}) == 2 and {run.noise for run in runs} == {'OwnNoise 0.5 (file)'}


@pytest.mark.parametrize(
    ('later', 'changed'),
    [(made_by(), False), (made_by(seed=1), True), (made_by(0.8), True), (None, True)],
)
def test_a_run_that_went_on_with_another_file_is_changed(later, changed, tmp_path):
    for start, made in ((1, made_by()), (2, later)):
        told = {} if made is None else dict(labels_made=made)
        labels = f"label_file='{start}/labels.npy'"
        write_run(tmp_path / 'resumed', 'ce_digits_sym80', [50.0], labels=labels, start=start, epochs=2, **told)
    write_from_files(tmp_path / 'whole', made_by(seed=2), start=2, epochs=2)
    resumed, whole = (read_run(work_dir) for work_dir in find_runs([tmp_path]))
    assert resumed.changed is changed and (resumed.recipe != whole.recipe) is changed


def test_a_run_that_went_on_with_noise_of_another_seed_is_changed(tmp_path):
    for start in (1, 2):
        write_run(tmp_path, 'tcl_digits_sym80', [50.0], start=start, noise_seed=start, epochs=2)
    (run,) = (read_run(work_dir) for work_dir in find_runs([tmp_path]))
    assert run.changed


def test_runs_on_more_processes_are_no_seeds_of_those_on_one(tmp_path):
    for seed, processes in ((0, 1), (1, 4), (2, 4)):
        write_run(tmp_path, 'tcl_digits_sym80', [50.0], seed=seed, processes=processes)
    runs = [read_run(work_dir) for work_dir in find_runs([tmp_path])]
    assert sorted(cells(one_row_each_method(runs), 'seeds', 'device')) == [('0', 'a CPU'), ('1 2', '4 x a CPU')]


def test_pieces_without_run_json_are_told_apart_by_what_they_recorded(tmp_path):
    """A training that was begun anew has not the seed of the one before, nor of a look at the labels alone."""
    name = 'tcl_digits_sym80'
    work_dir = write_run(tmp_path, name, [50.0, 60.0], info=False, day=1)
    first = work_dir / '20260101_000000'
    config = first / 'vis_data' / 'config.py'
    config.write_text(config.read_text().replace('randomness = dict(seed=0)', 'randomness = dict(seed=5)'))
    assert read_run(work_dir).seed == 5
    write_run(tmp_path, name, [51.0, 61.0], info=False, day=2)
    assert (read_run(work_dir).seed, read_run(work_dir).changed) == (0, False)
    (first / 'vis_data' / 'scalars.json').write_text(json.dumps({'label_noise/noise_rate': 0.7, 'step': 0}))
    assert read_run(work_dir).seed == 0


@pytest.mark.parametrize(
    'wrong',
    [
        *(dict(device=['x']), dict(commit=7), dict(first_epoch='3'), dict(seconds='long')),
        *(dict(labels_made=made) for made in ([1], {}, made_by(kind=['x']), made_by(parameters=None))),
        dict(labels_made={key: value for key, value in made_by().items() if key != 'kind'}),
    ],
)
def test_run_json_of_somebody_else(tmp_path, wrong):
    work_dir = write_run(tmp_path, 'tcl_digits_sym80', [50.0], **wrong)
    with pytest.raises(ValueError, match=rf'run.json is not as RunInfoHook writes it: {next(iter(wrong))} is'):
        read_run(work_dir)


def test_noise_of_ones_own_has_no_seed_of_ours(tmp_path):
    runs = [
        read_run(write_run(tmp_path / kind, 'tcl_digits_sym80', [50.0], seed=1, labels=f"noise=dict(type='{kind}')"))
        for kind in ('SymmetricNoise', 'OwnNoise')
    ]
    assert [run.data_seeds for run in runs] == [(0,), ()]


def test_a_run_without_run_json(tmp_path):
    run = read_run(write_run(tmp_path, 'tcl_digits_sym80', [50.0], info=False))
    assert (run.seconds, run.device, run.commit, run.command) == (None,) * 4


@pytest.fixture
def runs(tmp_path):
    """Three seeds of TCL, one of cross-entropy, and one of TCL under another noise."""
    for seed, last in enumerate([76.0, 78.0, 80.0]):
        write_run(tmp_path, 'tcl_digits_sym80', [90.0, last], seed=seed, auc=0.9 + seed / 100)
    write_run(tmp_path, 'ce_digits_sym80', [60.0, 30.0])
    asym = "noise=dict(type='AsymmetricNoise', rate=0.4, mapping=[[0, 1]])"
    write_run(tmp_path, 'tcl_digits_asym40', [91.0, 92.0], labels=asym)
    return [read_run(work_dir) for work_dir in find_runs([tmp_path])]


def cells(table, *titles):
    return [tuple(row[table[0].index(title)] for title in titles) for row in table[1:]]


def test_one_row_for_all_seeds(runs):
    table = one_row_each_method(runs)
    assert cells(table, 'method', 'noise', 'seeds', 'last (%)', 'best (%)', 'AUC', 'time (s)') == [
        ('tcl', 'asym40, own mapping', '0', '92.0', '92.0', '', '60'),
        ('ce', 'sym80', '0', '30.0', '60.0', '', '60'),
        ('tcl', 'sym80', '0 1 2', '78.0 ± 2.0', '90.0 ± 0.0', '0.910 ± 0.010', '61 ± 1'),
    ]
    assert cells(table, 'device', 'commit', 'command')[2] == ('a CPU', 'abc', 'python tcl_digits_sym80')


def test_each_figure_stands_in_its_own_column(tmp_path):
    accuracy = [95.0, *range(60, 70)]  # best before the last ten
    noise = {'noise_rate': 0.72, 'estimated_noise_rate': 0.61, 'wrong_labels_fitted': 0.33, 'score_auc': 0.84}
    others = {'precision': 0.5, 'recall': 0.4, 'auc': 0.3}
    held_out = [20.0] * 4 + [25.0] * 2 + [0.0] * 5
    told = dict(held_out=held_out, knn=[90.0, *range(70, 80)])
    written = write_run(tmp_path, 'tcl_digits_sym80', accuracy, noise=noise | others, **told)
    run = read_run(written)
    title, row = one_row_each_method([run])
    assert row[:5] == ['tcl', 'digits', 'sym80', '0', '11']
    found = dict(zip(title, row, strict=True))
    figures = {
        'noise_rate': ('labels wrong (%)', '72.0'),
        'last': ('last (%)', '69.0'),
        'best': ('best (%)', '95.0'),
        'tail': ('last 10 (%)', '64.5'),
        'selected': ('selected (%)', '63.0'),  # the earlier of two epochs
        'knn': ('k-NN (%)', '79.0'),
        'auc': ('AUC', '0.840'),
        'estimated': ('not trusted (%)', '61.0'),
        'fitted': ('fitted (%)', '33.0'),
        'seconds': ('time (s)', '60'),
    }
    assert set(figures) == set(VALUES)
    for value, (column, cell) in figures.items():
        assert found[column] == cell == methods_against_noises([run], value)[1][-1], value


@pytest.mark.parametrize(('name', 'column'), [('selected', 'selected (%)'), ('knn', 'k-NN (%)')])
def test_what_few_hooks_measure_has_a_column_where_a_run_has_one(runs, name, column):
    assert column not in one_row_each_method(runs)[0]
    setattr(runs[-1], name, 60.0)
    assert cells(one_row_each_method(runs), column) == [('',), ('',), ('60.0 (of 1)',)]


def test_figures_that_not_all_have_say_so(runs):
    runs[-1].seconds = None
    (found,) = cells(one_row_each_method(runs[2:]), 'time (s)')
    assert found == ('60 ± 1 (of 2)',)


def test_runs_of_other_options_are_no_seeds_of_one_another(tmp_path):
    write_run(tmp_path / 'a', 'tcl_digits_sym80', [50.0], seed=0)
    write_run(tmp_path / 'a', 'tcl_digits_sym80', [60.0], seed=1)
    write_run(tmp_path / 'b', 'tcl_digits_sym80', [70.0], seed=2, labels=SYM80 + ', num_classes=10')
    runs = [read_run(work_dir) for work_dir in find_runs([tmp_path])]
    assert sorted(cells(one_row_each_method(runs), 'seeds', 'last (%)')) == [('0 1', '55.0 ± 7.1'), ('2', '70.0')]
    with pytest.raises(ValueError, match='have one name and different recipes'):
        methods_against_noises(runs)
    write_run(tmp_path / 'c', 'tcl_digits_sym80', [80.0], seed=1)
    runs = [read_run(work_dir) for work_dir in find_runs([tmp_path])]
    with pytest.raises(ValueError, match=r'seed1 and .*seed1 are the same training with the same seed'):
        one_row_each_method(runs)


@pytest.mark.parametrize('relative', ['', 'x', '../x'])
def test_lists_in_the_work_directory_make_no_other_recipe(tmp_path, relative):
    for seed in (0, 1):
        folder = tmp_path / 'tcl_digits_sym80' / f'seed{seed}'
        labels = f"{SYM80}, dataset=dict(ann_file='{folder}/lists/train.txt')"
        write_run(tmp_path, 'tcl_digits_sym80', [50.0], seed=seed, labels=labels)
        for path in (*folder.glob('*.py'), *folder.glob('*/vis_data/config.py')):
            # As it may have been named from a folder beside the images.
            named = Path(relative).parent / folder.relative_to(tmp_path) if relative else folder
            path.write_text(f'{path.read_text()}\nwork_dir = {str(named)!r}\n')
    runs = [read_run(work_dir) for work_dir in find_runs([tmp_path])]
    assert cells(one_row_each_method(runs), 'seeds') == [('0 1',)]


def test_runs_on_fewer_images_stand_apart(tmp_path):
    """Seeds of what is held out are seeds."""
    write_run(tmp_path / 'all', 'ce_digits_sym80', [50.0])
    for seed in (0, 1):
        labels = f'{SYM80}, held_out=0.1, held_out_seed={seed}'
        write_run(tmp_path / 'some', 'ce_digits_sym80', [60.0 + seed], seed=seed, labels=labels, held_out=[20.0])
    runs = [read_run(work_dir) for work_dir in find_runs([tmp_path])]
    assert cells(one_row_each_method(runs), 'data', 'seeds', 'last (%)') == [
        ('digits', '0', '50.0'),
        ('digits, 10 % held out', '0 1', '60.5 ± 0.7'),
    ]
    assert len(methods_against_noises(runs)) == 3


def test_nothing_is_selected_where_others_were_held_out_on_the_way(tmp_path):
    for start, share in ((1, 0.0), (2, 0.1)):
        labels = f'{SYM80}, held_out={share}'
        write_run(tmp_path, 'ce_digits_sym80', [50.0 + start], start=start, labels=labels, held_out=[20.0], epochs=2)
    (run,) = (read_run(work_dir) for work_dir in find_runs([tmp_path]))
    assert run.changed and run.selected is None


def test_a_hook_that_only_looks_makes_no_other_recipe(tmp_path):
    """Of runs made before configs had it, and after."""
    looking = "held_out=dict(type='HeldOutHook'), knn_accuracy=dict(type='KNNAccuracyHook')"
    hooks = [
        'default_hooks = dict()',
        f'default_hooks = dict({looking})',
        "custom_hooks = [dict(type='HeldOutHook'), dict(type='KNNAccuracyHook', priority='LOW')]",
        f"default_hooks = dict({looking}, other=dict(type='Other'))",
    ]
    for seed, text in enumerate(hooks):
        write_run(tmp_path, 'tcl_digits_sym80', [50.0], seed=seed)
        for path in (tmp_path / 'tcl_digits_sym80' / f'seed{seed}').glob('**/*.py'):
            path.write_text(f'{path.read_text()}\n{text}\n')
    runs = [read_run(work_dir) for work_dir in find_runs([tmp_path])]
    assert cells(one_row_each_method(runs), 'seeds') in ([('0 1 2',), ('3',)], [('3',), ('0 1 2',)])


def test_neighbors_of_another_number_are_another_figure(tmp_path):
    for seed, hook in enumerate(["type='KNNAccuracyHook'", "type='KNNAccuracyHook', k=5"]):
        write_run(tmp_path, 'tcl_digits_sym80', [50.0], seed=seed, knn=[60.0 + seed])
        for path in (tmp_path / 'tcl_digits_sym80' / f'seed{seed}').glob('**/*.py'):
            path.write_text(f'{path.read_text()}\ncustom_hooks = [dict({hook})]\n')
    runs = [read_run(work_dir) for work_dir in find_runs([tmp_path])]
    assert sorted(cells(one_row_each_method(runs), 'k-NN (%)')) == [('60.0',), ('61.0',)]


def test_neighbors_are_those_of_the_last_epoch(tmp_path):
    write_run(tmp_path, 'tcl_digits_sym80', [50.0], knn=[60.0], epochs=2)
    write_run(tmp_path, 'tcl_digits_sym80', [40.0], start=2, epochs=2)
    (run,) = (read_run(work_dir) for work_dir in find_runs([tmp_path]))
    assert run.last == 40.0 and run.knn is None


@pytest.mark.parametrize('work_dir', ['.', './', '..', 'x/..'])
def test_runs_beside_the_images(tmp_path, work_dir):
    write_run(tmp_path, 'tcl_digits_sym80', [50.0], seed=0)
    folder = tmp_path / 'tcl_digits_sym80' / 'seed0'
    for path in (*folder.glob('*.py'), *folder.glob('*/vis_data/config.py')):
        path.write_text(f'{path.read_text()}\nwork_dir = {work_dir!r}\n')
    assert read_run(folder).recipe


FOLDER = dict(type='CSVDataset', ann_file='w/lists/train_0a1b2c3d.csv', data_root='images')


@pytest.mark.parametrize(
    ('train', 'test', 'expected'),
    [
        (FOLDER, dict(FOLDER, ann_file='w/lists/test_0a1b2c3d.csv'), 'test'),
        (FOLDER, dict(FOLDER, ann_file='w/lists/val_0a1b2c3d.csv'), 'validation'),
        (FOLDER, FOLDER, 'training'),
        (dict(FOLDER, ann_file='audit/corrected_annotations.csv'), FOLDER, 'training'),
        (dict(FOLDER, ann_file='a.csv'), dict(FOLDER, ann_file='a.csv'), 'training'),
        (dict(FOLDER, ann_file='a.csv'), dict(FOLDER, ann_file='a.csv', data_root='others'), 'test'),
        (dict(FOLDER, ann_file='a.csv', indices=[0]), dict(FOLDER, ann_file='a.csv', indices=[1]), 'test'),
        (dict(type='SklearnDigits'), dict(type='SklearnDigits'), 'test'),
    ],
)
def test_images_that_a_run_was_tested_on(train, test, expected):
    cfg = dict(
        train_dataloader=dict(dataset=dict(type='NoisyLabelDataset', dataset=train)),
        test_dataloader=dict(dataset=test),
    )
    assert images_of_part(Config(cfg)) == expected


def test_images_that_a_wrapper_parts():
    halves = [dict(type='KFoldDataset', dataset=dict(FOLDER, ann_file='a.csv'), test_mode=t) for t in (False, True)]
    cfg = dict(train_dataloader=dict(dataset=halves[0]), test_dataloader=dict(dataset=halves[1]))
    assert images_of_part(Config(cfg)) == 'test'


def test_a_stop_makes_no_other_recipe(tmp_path):
    """A resumed piece names the checkpoint that it goes on from, or none, not that which the training began with."""

    def loads(work_dir, piece, path, resume):
        file = work_dir / f'2026010{piece}_000000' / 'vis_data' / 'config.py'
        file.write_text(f'{file.read_text()}\nload_from = {path!r}\nresume = {resume}\n')

    for seed, gone_on_from in enumerate((None, None, 'w/epoch_1.pth')):
        work_dir = write_run(tmp_path, 'tclplus_digits_sym80', [50.0, 60.0][: 1 if seed else 2], seed=seed, epochs=2)
        loads(work_dir, 1, f'first/seed{seed}/epoch_24.pth', False)
        if seed:
            write_run(tmp_path, 'tclplus_digits_sym80', [60.0], seed=seed, epochs=2, start=2)
            loads(work_dir, 2, gone_on_from, True)
    runs = [read_run(work_dir) for work_dir in find_runs([tmp_path])]
    assert cells(one_row_each_method(runs), 'seeds') == [('0 1 2',)]
    work_dir = write_run(tmp_path, 'tclplus_digits_sym80', [50.0, 60.0], seed=3)
    loads(work_dir, 1, 'first/seed3/epoch_12.pth', False)
    # Nor are those seeds of one another that begin from other methods.
    work_dir = write_run(tmp_path, 'tclplus_digits_sym80', [50.0, 60.0], seed=4)
    loads(work_dir, 1, 'other/seed4/epoch_24.pth', False)
    runs = [read_run(work_dir) for work_dir in find_runs([tmp_path])]
    assert sorted(cells(one_row_each_method(runs), 'seeds')) == [('0 1 2',), ('3',), ('4',)]


def test_one_row_for_each_run(runs):
    found = cells(one_row_each(runs), 'method', 'seeds', 'last (%)')
    assert found[2:] == [('tcl', '0', '76.0'), ('tcl', '1', '78.0'), ('tcl', '2', '80.0')]


def test_methods_against_noises(runs):
    assert methods_against_noises(runs) == [
        ['data', 'method', 'epochs', 'asym40, own mapping', 'sym80'],
        ['digits', 'tcl', '2', '92.0', '78.0 ± 2.0'],
        ['digits', 'ce', '2', '', '30.0'],
    ]
    assert methods_against_noises(runs, 'best')[1][3:] == ['92.0', '90.0 ± 0.0']
    with pytest.raises(ValueError, match=r"value must be one of .*, got 'first'"):
        methods_against_noises(runs, 'first')


def test_formats():
    table = [['a', 'b'], ['1', 'x|y,z']]
    assert to_markdown(table) == '| a | b |\n|---|---|\n| 1 | x\\|y,z |\n'
    assert list(csv.reader(io.StringIO(to_csv(table)))) == table


def test_latex(runs):
    table = [
        ['method', 'data', 'last (%)', 'commit', 'command'],
        ['a&b', r'x_1\~^', '1.0 ± 0.2', 'c0ffee', 'train\n\\bad'],
    ]
    assert to_latex(table).splitlines() == [
        r'% a&b, c0ffee, train \bad',
        r'\begin{tabular}{lll}',
        r'\toprule',
        r'method & data & last (\%) \\',
        r'\midrule',
        r'a\&b & x\_1\textbackslash{}\textasciitilde{}\textasciicircum{} & 1.0 $\pm$ 0.2 \\',
        r'\bottomrule',
        r'\end{tabular}',
    ]
    pivot = methods_against_noises(runs)
    assert r'digits & tcl & 2 & 92.0 & 78.0 $\pm$ 2.0 \\' in to_latex(pivot) and '% ' not in to_latex(pivot)


def test_folders(tmp_path):
    work_dir = write_run(tmp_path / 'deep', 'tcl_digits_sym80', [50.0])
    assert find_runs([tmp_path, work_dir]) == [work_dir]
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='empty is no work directory of a training, and there is none below'):
        find_runs([tmp_path / 'empty'])
