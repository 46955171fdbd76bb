# SPDX-License-Identifier: Apache-2.0
"""Keeping data on the device changes the speed of a run and nothing else; what cannot be kept stays where it was."""

import pytest
import torch
from data_builders import build_image_folder
from toy_runs import CROP, PLAIN_PIPELINE, build_runner, classifier, hook, noisy_digits, recorded, tcl

from tcl_plugin.datasets.resident import ResidentLoader
from tcl_plugin.evaluation import TABLE_NAME
from tcl_plugin.hooks import ResidentDataHook

RESIDENT = dict(type='ResidentDataHook')
NORM = dict(mean=[127.5] * 3, std=[127.5] * 3)
VIEWS = [dict(num_views=n, transforms=[dict(type='BatchRandomCrop', size=8, padding=1)]) for n in (1, 2)]
ON_DEVICE = dict(data_preprocessor=dict(type='BatchViewDataPreprocessor', views=VIEWS, **NORM))


def messages(work_dir):
    """What the hook has logged."""
    text = ''.join(path.read_text() for path in work_dir.glob('*/*.log'))
    return [line.split('ResidentDataHook: ')[1] for line in text.splitlines() if 'ResidentDataHook: ' in line]


def run(work_dir, *hooks, workers):
    """Train two epochs, and evaluate after each."""
    loggers = dict(logger=dict(type='LoggerHook', interval=1))
    runner = build_runner(
        work_dir,
        tcl(dropout=0.2) | ON_DEVICE,
        noisy_digits(pipeline=PLAIN_PIPELINE),
        hook(),
        *hooks,
        train_cfg=dict(by_epoch=True, max_epochs=2, val_interval=1),
        default_hooks=loggers,
        log_level='INFO',
    )
    for loader in (runner._train_dataloader, runner._val_dataloader):
        loader.update(num_workers=workers, persistent_workers=workers > 0)
    runner.train()
    return runner


@pytest.mark.parametrize('workers', [0, 1])
def test_a_run_goes_the_same_way(tmp_path, workers):
    plain = run(tmp_path / 'plain', workers=workers)
    kept = run(tmp_path / 'kept', RESIDENT, workers=workers)
    assert not isinstance(plain.train_dataloader, ResidentLoader)
    for loader in (kept.train_dataloader, kept.val_dataloader):
        assert isinstance(loader, ResidentLoader)
    assert recorded(tmp_path / 'kept') == recorded(tmp_path / 'plain')
    weights = plain.model.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in kept.model.state_dict().items())
    tables = [(tmp_path / name / TABLE_NAME).read_text() for name in ('plain', 'kept')]
    assert tables[0] == tables[1]
    assert messages(tmp_path / 'kept') == [
        'the train set, 0.00 GiB, is on cpu',
        'the val set, 0.00 GiB, is on cpu',
    ]


def floats_of_a_folder(root):
    pipeline = [dict(type='LoadImageFromFile', to_float32=True), *PLAIN_PIPELINE]
    folder = str(build_image_folder(root / 'images', num_classes=10, size=8))
    return dict(type='NoisyLabelDataset', dataset=dict(type='CustomDataset', data_root=folder, pipeline=pipeline))


@pytest.mark.parametrize(
    ('make', 'kwargs', 'reason'),
    [
        (lambda _: noisy_digits(pipeline=[CROP, *PLAIN_PIPELINE]), {}, 'its pipeline has RandomCrop'),
        (floats_of_a_folder, {}, 'its images are torch.float32, not uint8'),
        (lambda _: noisy_digits(pipeline=PLAIN_PIPELINE), dict(max_gib=0), 'it takes 0.00 GiB, and 0.00 GiB may'),
    ],
    ids=['random', 'float', 'large'],
)
def test_falls_back_with_one_line(tmp_path, make, kwargs, reason):
    runner = build_runner(tmp_path, classifier(), make(tmp_path), dict(RESIDENT, **kwargs), log_level='INFO')
    runner.train()
    assert not isinstance(runner.train_dataloader, ResidentLoader)
    (line,) = [line for line in messages(tmp_path) if 'the train set' in line]
    assert line.startswith(f'the train set stays with its data loader: {reason}')


def test_loops_without_epochs_keep_their_loader(tmp_path):
    runner = build_runner(
        tmp_path,
        classifier(),
        noisy_digits(pipeline=PLAIN_PIPELINE),
        RESIDENT,
        train_cfg=dict(by_epoch=False, max_iters=2, val_interval=2),
        log_level='INFO',
    )
    runner.train()
    assert messages(tmp_path)[0] == 'the train set stays with its data loader: the loop has no epochs'
    assert isinstance(runner.val_dataloader, ResidentLoader)


def test_scores_of_samples_keep_their_loader(tmp_path):
    """Mixup of the data preprocessor writes to data samples, which a resident set does not keep."""
    mixup = dict(augments=dict(type='Mixup', alpha=1.0))
    preprocessor = dict(type='ClsDataPreprocessor', num_classes=10, **NORM)
    model = classifier(train_cfg=mixup, data_preprocessor=preprocessor)
    model['head'] = dict(model['head'], loss=dict(type='CrossEntropyLoss', use_soft=True))
    dataset = noisy_digits(pipeline=PLAIN_PIPELINE)
    runner = build_runner(tmp_path, model, dataset, RESIDENT, log_level='INFO')
    runner.train()
    assert messages(tmp_path)[0].endswith('data loader: the data preprocessor makes scores for each sample')


def test_a_set_that_is_there_already_stays(tmp_path):
    runner = build_runner(tmp_path, classifier(), noisy_digits(pipeline=PLAIN_PIPELINE), RESIDENT, RESIDENT)
    runner.train()
    assert isinstance(runner.train_dataloader, ResidentLoader)


def test_statistics_made_anew_are_the_same(tmp_path):
    """mmpretrain's hook asks the loader for its batch size."""
    found = []
    for name, hooks in dict(plain=[], kept=[RESIDENT]).items():
        hooks = [*hooks, dict(type='PreciseBNHook', num_samples=32)]
        runner = build_runner(tmp_path / name, classifier(), noisy_digits(pipeline=PLAIN_PIPELINE), *hooks)
        runner.train()
        found.append(runner.model.backbone.state_dict())
    assert all(torch.equal(value, found[1][name]) for name, value in found[0].items())


def test_bad_limit():
    with pytest.raises(ValueError, match='max_gib must not be negative, got -1'):
        ResidentDataHook(max_gib=-1)
