# SPDX-License-Identifier: Apache-2.0
"""Labels are written once with how they were made, and a dataset takes them back, if they are its own."""

import json
from pathlib import Path

import numpy as np
import pytest
from killing import full_disk
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import DATASETS
from toolbox import DIGITS, ROOT, load_file
from toy_runs import NUM_TRAIN, PLAIN_PIPELINE, build_runner, classifier, noisy_digits

from tcl_plugin.atomic import array_bytes
from tcl_plugin.datasets import TransitionMatrixNoise
from tcl_plugin.datasets.sidecar import digest
from tcl_plugin.reports import read_run


@pytest.fixture(scope='module')
def make_noise():
    return load_file(ROOT / 'tools' / 'make_noise.py')


def training_set(**changes):
    init_default_scope('mmpretrain')
    return DATASETS.build({**Config.fromfile(DIGITS).train_dataloader.dataset, **changes})


def config_of(folder, **changes):
    """Write a config that is that of the digits but for the training set; return its path."""
    path = folder / 'config.py'
    path.write_text(f'_base_ = {str(DIGITS)!r}\ntrain_dataloader = dict(dataset={changes!r})\n')
    return str(path)


def test_writes_labels_that_a_dataset_takes_back(make_noise, workplace, capsys):
    assert make_noise.main([str(DIGITS), '--out', 'made/labels.npy']) == 0
    assert 'made/labels.npy: 1437 labels, SymmetricNoise(rate=0.8, seed=0), 71.82 % of them wrong' in (
        capsys.readouterr().out
    )
    expected = training_set()
    again = training_set(noise=None, label_file='made/labels.npy')
    assert (again.given_labels == expected.given_labels).all() and (again.given_labels != again.true_labels).any()

    beside = json.loads((workplace / 'made/labels.npy.json').read_text())
    assert beside['true_labels_sha256'] == digest(expected.true_labels)
    assert beside['given_labels_sha256'] == digest(np.load('made/labels.npy'))
    assert (beside['kind'], beside['nominal_rate'], beside['seed']) == ('SymmetricNoise', 0.8, 0)
    assert beside['parameters'] == dict(rate=0.8) and expected.source.made is None
    assert again.source.made.items() <= (beside | dict(open_set_nominal_rate=None, open_set_seed=None)).items()
    assert beside['measured_rate'] == expected.noise_rate
    assert beside['expected_rate'] == pytest.approx(0.9 * 1149 / 1437)  # 0.8 of 1,437, in whole samples
    matrix = np.zeros((10, 10))
    for true, given in zip(expected.true_labels, expected.given_labels, strict=True):
        matrix[true, given] += 1
    matrix /= matrix.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(beside['measured_transition_matrix'], matrix, atol=1e-6)
    (workplace / 'matrix.json').write_text(json.dumps(beside['measured_transition_matrix']))
    np.testing.assert_allclose(TransitionMatrixNoise('matrix.json').matrix(10), matrix, atol=1e-6)
    assert sorted(path.name for path in (workplace / 'made').iterdir()) == ['labels.npy', 'labels.npy.json']


def test_full_disk_leaves_the_former_files(make_noise, workplace):
    def write(number, room):
        with full_disk(room):
            given = np.full(100, number)
            make_noise.write(workplace / 'l.npy', lambda file: file.write(array_bytes(given)), dict(number=number))

    write(1, 10_000)
    # The description has room, the labels have none.
    with pytest.raises(OSError, match='File too large'):
        write(2, 500)
    assert np.load('l.npy').tolist() == [1] * 100 and json.loads(Path('l.npy.json').read_text()) == dict(number=1)
    assert len(list(workplace.iterdir())) == 2


def test_matrix_and_noise_of_ones_own_are_described(make_noise, workplace):
    matrix = (0.6 * np.eye(10) + 0.04 * np.ones((10, 10))).tolist()
    config = config_of(workplace, noise=dict(_delete_=True, type='TransitionMatrixNoise', matrix=matrix, seed=2))
    assert make_noise.main([config, '--out', 'l.npy']) == 0
    beside = json.loads((workplace / 'l.npy.json').read_text())
    np.testing.assert_allclose(beside['nominal_transition_matrix'], matrix)
    assert (beside['dataset'], beside['nominal_rate'], beside['seed']) == ('SklearnDigits', None, 2)

    class Own:
        def __call__(self, labels, num_classes):
            return (labels + 1) % num_classes

        def __repr__(self):
            return 'Own()'

    # What JSON does not have would make a sidecar that no reader takes.
    assert make_noise._as_json(dict(rate=0.5, cap=float('inf'))) is None
    dataset = training_set(noise=Own())
    described = make_noise.describe(dataset, config)
    assert (described['noise'], described['kind'], described['seed'], described['expected_rate']) == (
        'Own()',
        'Own',
        None,
        None,
    )
    assert described['measured_rate'] == 1 and described['parameters'] is None


def test_one_label_for_each_distinct_image(make_noise, workplace):
    (workplace / 'config.py').write_text(
        "digits = dict(type='SklearnDigits', split='test', pipeline=[])\n"
        "train_dataloader = dict(dataset=dict(type='NoisyLabelDataset', noise=dict(type='PairFlipNoise', rate=0.5),\n"
        "    dataset=dict(type='RepeatDataset', times=3, dataset=digits)))\n"
        "custom_imports = dict(imports=['tcl_plugin'], allow_failed_imports=False)\n"
    )
    assert make_noise.main(['config.py', '--out', 'l.npy']) == 0
    assert len(np.load('l.npy')) == 360


def test_another_order_is_refused(make_noise, workplace):
    assert make_noise.main([str(DIGITS), '--out', 'labels.npy']) == 0
    other = dict(type='SklearnDigits', split='test', pipeline=[])
    np.save('labels.npy', np.load('labels.npy')[:360])
    with pytest.raises(ValueError, match=r'labels.npy: was made for other true labels .*, as labels.npy.json says'):
        training_set(dataset=other, noise=None, label_file='labels.npy')
    (workplace / 'labels.npy.json').write_text('{}')
    with pytest.raises(ValueError, match=r'labels.npy.json beside the label file cannot be read'):
        training_set(dataset=other, noise=None, label_file='labels.npy')


def test_instance_dependent_labels_come_back(make_noise, workplace):
    noise = dict(type='InstanceDependentNoise', rate=0.4, seed=0)
    assert make_noise.main([config_of(workplace, noise=noise), '--out', 'labels.json']) == 0
    expected = training_set(noise=noise)
    again = training_set(noise=None, label_file='labels.json')
    assert (again.given_labels == expected.given_labels).all() and again.noise_rate == expected.noise_rate > 0.3
    beside = json.loads((workplace / 'labels.json.json').read_text())
    assert beside['noise'] == 'InstanceDependentNoise(rate=0.4, std=0.1, seed=0)'
    assert beside['expected_rate'] == pytest.approx(0.4, abs=1e-4) and 'open_set' not in beside


@pytest.mark.parametrize('beside', [True, False])
def test_a_run_records_how_its_labels_were_made(beside, make_noise, workplace):
    """Tables of runs know the noise by that; without the sidecar they have the name of the file alone."""
    noise = dict(_delete_=True, type='AsymmetricNoise', rate=0.285, mapping={0: 1, 1: 2}, seed=5)
    config = config_of(workplace, noise=noise, dataset=dict(indices=NUM_TRAIN))
    assert make_noise.main([config, '--out', 'labels.npy']) == 0
    if not beside:
        (workplace / 'labels.npy.json').unlink()
    images = noisy_digits(pipeline=PLAIN_PIPELINE) | dict(noise=None, label_file='labels.npy')
    epoch = dict(by_epoch=True, max_epochs=1, val_interval=1)
    build_runner('w', classifier(), images, dict(type='RunInfoHook'), train_cfg=epoch).train()
    (info,) = [json.loads(path.read_text()) for path in workplace.glob('w/*/run.json')]
    run = read_run('w')
    if beside:
        made = info['labels_made']
        assert (made['kind'], made['nominal_rate'], made['seed']) == ('AsymmetricNoise', 0.285, 5)
        assert made['parameters'] == dict(rate=0.285, mapping={'0': 1, '1': 2})
        assert (run.noise, run.data_seeds) == ('asym28.5, own mapping (file)', (5,))
    else:
        assert 'labels_made' not in info and (run.noise, run.data_seeds) == ('labels.npy', ())


# Not serialised, as mmengine collects garbage each time that it does it.
OTHER = dict(type='SklearnDigits', split='test', serialize_data=False)


@pytest.mark.parametrize('closed', [True, False])
def test_open_set_noise_comes_back(closed, make_noise, workplace, capsys):
    changes = dict(open_set=dict(type='OpenSetNoise', rate=0.2, dataset=OTHER)) | ({} if closed else dict(noise=None))
    config = config_of(workplace, **changes)
    assert make_noise.main([config, '--out', 'labels.npy']) == 2
    assert 'labels.npy: holds labels alone, but open_set replaces images: name a .json file' in capsys.readouterr().err
    assert [path.name for path in workplace.iterdir()] == ['config.py']
    assert make_noise.main([config, '--out', 'labels.json']) == 0
    kinds = ('SymmetricNoise(rate=0.8, seed=0) and ' if closed else '') + 'OpenSetNoise('
    assert f'labels.json: 1437 labels, {kinds}' in capsys.readouterr().out

    expected = training_set(**changes)
    again = training_set(noise=None, label_file='labels.json', open_set=dict(type='OpenSetNoise', dataset=OTHER))
    assert (again.given_labels == expected.given_labels).all() and (again.true_labels == expected.true_labels).all()
    assert (again.open_noise == expected.open_noise).all() and len(again.open_noise) == 287
    made = again.source.made
    assert (made['kind'], made['parameters']) == (('SymmetricNoise', dict(rate=0.8)) if closed else (None, {}))
    assert (made['open_set_nominal_rate'], made['open_set_seed']) == (0.2, 0)
    with pytest.raises(ValueError, match=r'labels.json: its open_noise replaces images, too \(287 of them\)'):
        training_set(noise=None, label_file='labels.json')

    beside, made = (json.loads((workplace / name).read_text()) for name in ('labels.json.json', 'labels.json'))
    own = training_set(noise=None).given_labels
    assert beside['true_labels_sha256'] == digest(own)
    assert (beside['num_replaced'], beside['open_set_nominal_rate'], beside['open_set_num_samples']) == (287, 0.2, 360)
    assert beside['nominal_rate'] == (0.8 if closed else None)
    assert beside['measured_rate'] == expected.noise_rate == pytest.approx(beside['expected_rate'], abs=0.02)
    wrong = set(np.flatnonzero(expected.given_labels != own))
    assert set(made['closed_noise']) == wrong and not wrong & {here for here, _ in made['open_noise']}


def test_replaced_images_are_those_that_were_recorded(make_noise, workplace):
    """Pairs are numbers alone: of another data set, or cut short, they would be as good as any."""
    config = config_of(workplace, noise=None, open_set=dict(type='OpenSetNoise', rate=0.02, dataset=OTHER))
    assert make_noise.main([config, '--out', 'labels.json']) == 0
    made = json.loads(Path('labels.json').read_text())
    beside = json.loads(Path('labels.json.json').read_text())

    def read(other=OTHER, **changes):
        Path('labels.json').write_text(json.dumps(made | changes))
        open_set = None if other is None else dict(type='OpenSetNoise', dataset=other)
        return training_set(noise=None, label_file='labels.json', open_set=open_set).open_noise.tolist()

    pairs = made['open_noise']
    assert len(pairs) == 28 and read() == pairs
    new = ('open_noise_sha256', 'open_set_labels_sha256')
    assert sorted(new) == sorted(beside.keys() & set(new))
    larger, same_size = dict(OTHER, split='train'), dict(OTHER, split='train', indices=360)
    for known in (beside, {key: value for key, value in beside.items() if key not in new}):
        Path('labels.json.json').write_text(json.dumps(known))
        with pytest.raises(
            ValueError, match=r'had 360 images, and open_set.dataset has 1437, as labels.json.json says'
        ):
            read(larger)
        for other in (OTHER, None):
            with pytest.raises(ValueError, match=r'replaces 0 images, and labels.json.json tells of 28: has it been'):
                read(other, open_noise=[])
        with pytest.raises(ValueError, match=r'replaces 27 images, and labels.json.json tells of 28'):
            read(open_noise=pairs[:-1])
        if known is beside:
            with pytest.raises(ValueError, match=r'had 360 images, too, but other labels than open_set.dataset, or'):
                read(same_size)
            with pytest.raises(ValueError, match=r'replaces 28 images, and labels.json.json tells of others'):
                read(open_noise=[[here, (there + 1) % 360] for here, there in pairs])
        else:
            assert read(same_size) == pairs


def test_refusals(make_noise, workplace, capsys):
    def refused(*argv):
        assert make_noise.main([str(word) for word in argv]) == 2
        return capsys.readouterr().err

    assert '--out labels.csv: must be a .npy or .json file' in refused(DIGITS, '--out', 'labels.csv')
    (workplace / 'labels.npy').write_bytes(b'precious')
    assert 'labels.npy is there already; --force writes over it' in refused(DIGITS, '--out', 'labels.npy')
    assert (workplace / 'labels.npy').read_bytes() == b'precious'
    none = ['--cfg-options', 'train_dataloader.dataset.noise=None']
    assert 'makes no noise' in refused(DIGITS, '--out', 'other.npy', *none)
    file = config_of(workplace, noise=None, label_file='given.npy')
    np.save('given.npy', training_set().given_labels)
    assert 'makes no noise' in refused(file, '--out', 'other.npy')
    rate = ['--cfg-options', 'train_dataloader.dataset.noise.rate=1.5']
    assert 'noise rate must be in [0, 1], got 1.5' in refused(DIGITS, '--out', 'other.npy', *rate)
    assert make_noise.main([str(DIGITS), '--out', 'labels.npy', '--force']) == 0
    assert len(np.load('labels.npy')) == 1437
