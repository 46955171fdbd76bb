# SPDX-License-Identifier: Apache-2.0
"""A run that is stopped and resumed is, to the last bit, the run that was not stopped; or it says why not."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hook_workers import resume_apart, train_and_resume
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, HOOKS
from toy_runs import EMA, PLAIN_PIPELINE, THREE_VIEWS, build_runner, classifier, hook, noisy_digits, recorded, tcl

from tcl_plugin.datasets.sidecar import digest
from tcl_plugin.evaluation import TABLE_NAME
from tcl_plugin.hooks.conditions import what_has_changed
from tcl_plugin.hooks.epoch_seed_hook import EpochSeedHook

SEEDS = dict(type='EpochSeedHook')
EPOCHS = 2
LAST = f'epoch_{EPOCHS}.pth'

CROP = dict(type='BatchRandomCrop', size=8, padding=1)
CUT_ON_DEVICE = dict(
    type='BatchViewDataPreprocessor',
    views=[dict(num_views=3, transforms=[CROP])],
    mean=[127.5] * 3,
    std=[127.5] * 3,
)


def loader(pipeline, **changes):
    """Config of the training images."""
    return (
        dict(
            batch_size=16,
            dataset=noisy_digits(pipeline=pipeline),
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='default_collate'),
        )
        | changes
    )


@HOOKS.register_module()
class Spendthrift(Hook):
    """Draws one random number in the first epoch after a start, two in the second and so on."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.epochs = 0

    def before_train_epoch(self, runner):
        self.epochs += 1
        torch.rand(self.epochs)


class Stop(Hook):
    """Ends a run when it begins to train."""

    def before_train_epoch(self, runner):
        raise KeyboardInterrupt


# Model, hooks and data loader of each kind of run. All of them mix images by torch's global generator, and validation
# draws from it too.
KINDS = {
    # With interval=2 the second epoch, too, is trained by what was known of the labels before the first.
    'device': (
        tcl(warmup_epochs=0) | dict(data_preprocessor=CUT_ON_DEVICE),
        [hook(interval=2), dict(type='ResidentDataHook')],
        loader(PLAIN_PIPELINE, num_workers=0),
    ),
    'process': (tcl(), [hook(), EMA, dict(type='Spendthrift')], loader(THREE_VIEWS, num_workers=0)),
    'workers stay': (tcl(), [hook()], loader(THREE_VIEWS, num_workers=2, persistent_workers=True)),
    'workers start': (tcl(), [hook()], loader(THREE_VIEWS, num_workers=1)),
}


def train(work_dir, kind='device', seeds=SEEDS, **changes):
    model, hooks, images = KINDS[kind]
    changes = dict(max_epochs=EPOCHS, train_dataloader=images) | changes
    changes.setdefault('train_cfg', dict(by_epoch=True, max_epochs=changes['max_epochs'], val_interval=1))
    runner = build_runner(work_dir, model, None, *hooks, *filter(None, [seeds]), **changes)
    runner.train()
    if runner.train_dataloader.persistent_workers:
        # The garbage collector would wait five seconds for each.
        runner.train_dataloader._iterator._shutdown_workers()
    return runner


def resume(work_dir, checkpoint, kind='device', **changes):
    """Go on from a checkpoint: all that a run that was killed has."""
    return train(work_dir, kind, resume=True, load_from=str(checkpoint), **changes)


def values_of(path):
    """All that a checkpoint holds of training, by name."""
    checkpoint = torch.load(path, weights_only=True)
    values = {f'weight {name}': value for name, value in checkpoint['state_dict'].items()}
    for index, state in checkpoint['optimizer']['state'].items():
        values |= {f'optimizer {index} {name}': value for name, value in state.items()}
    scalars = checkpoint['message_hub']['log_scalars']
    return values | {
        name: torch.from_numpy(history.data[0].astype(float)) for name, history in scalars.items() if 'loss' in name
    }


def differing(one, other):
    """Names of what differs between two checkpoints."""
    one, other = values_of(one), values_of(other)
    assert one.keys() == other.keys()
    return [name for name in one if not torch.equal(one[name], other[name])]


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A function that trains without a stop, once for each kind, and returns the work directory."""
    known = {}

    def get(kind):
        if kind not in known:
            known[kind] = tmp_path_factory.mktemp('whole')
            train(known[kind], kind)
        return known[kind]

    return get


# It makes no difference, either, how many workers there are, and whether they are the same for all epochs.
@pytest.mark.parametrize(
    ('kind', 'later'), [('device', 'device'), ('process', 'process'), ('workers stay', 'workers start')]
)
def test_stopped_run_goes_on_as_if_it_had_not(kind, later, whole, tmp_path, capsys):
    resume(tmp_path, whole(kind) / 'epoch_1.pth', later)
    assert differing(tmp_path / LAST, whole(kind) / LAST) == []
    assert (tmp_path / TABLE_NAME).read_bytes() == (whole(kind) / TABLE_NAME).read_bytes()
    # To the last step, losses are those that the other run has logged.
    assert [line for line in recorded(tmp_path) if 'loss' in line][-1] in recorded(whole(kind))
    assert 'no longer bit for bit' not in capsys.readouterr().out


@pytest.mark.parametrize('kind', ['device', 'process', 'workers start'])
def test_epochs_differ(kind, tmp_path):
    """Workers that start anew with each epoch would otherwise draw the same numbers in each."""
    model, _, images = KINDS[kind]
    in_order = images | dict(sampler=dict(type='DefaultSampler', shuffle=False))
    runner = build_runner(tmp_path, model, None, train_dataloader=in_order)
    seeds = EpochSeedHook()
    seeds.before_train(runner)
    first, second, again = (first_batch(runner, seeds, epoch) for epoch in (0, 1, 1))
    assert not torch.equal(first, second) and torch.equal(second, again)


@pytest.mark.parametrize('kind', ['device', 'process', 'workers start'])
def test_seeds_differ(kind, tmp_path):
    """Otherwise the spread over seeds would be that of weights and labels alone."""
    model, _, images = KINDS[kind]
    in_order = images | dict(sampler=dict(type='DefaultSampler', shuffle=False))
    drawn = []
    for seed in (0, 1):
        changes = dict(train_dataloader=in_order, randomness=dict(seed=seed))
        runner = build_runner(tmp_path / str(seed), model, None, **changes)
        seeds = EpochSeedHook()
        seeds.before_train(runner)
        views = first_batch(runner, seeds, 0)
        seeds.before_train_epoch(runner)
        drawn.append((views, torch.rand(3), torch.tensor(runner.train_dataloader.generator.initial_seed())))
    assert [torch.equal(one, other) for one, other in zip(*drawn, strict=True)] == [False] * 3


def first_batch(runner, seeds, epoch):
    """Images of the first batch of an epoch, as the network gets them."""
    runner.train_loop._epoch = epoch
    seeds.before_train_epoch(runner)
    batch = next(iter(runner.train_dataloader))
    return runner.model.data_preprocessor(batch, True)['inputs'][0]


def test_seed_is_that_of_the_checkpoint(whole, tmp_path, capsys):
    """Of the run and its sampler, whatever is chosen now; without a choice each start would draw another."""
    resume(tmp_path, whole('device') / 'epoch_1.pth', randomness=dict(seed=5))
    assert differing(tmp_path / LAST, whole('device') / LAST) == []
    # For a second stop, too.
    assert conditions_in(tmp_path / LAST) == conditions_in(whole('device') / LAST)
    assert 'randomness.seed=5 is left aside' in capsys.readouterr().out


def conditions_in(path):
    return torch.load(path, weights_only=True)['conditions']


@pytest.mark.parametrize(('kind', 'workers'), [('device', 'none'), ('workers stay', 'some')])
def test_conditions_are_those_of_the_run(kind, workers, whole):
    """With which a resumed run is compared."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        given = DATASETS.build(noisy_digits(pipeline=PLAIN_PIPELINE)).given_labels
    found = conditions_in(whole(kind) / 'epoch_1.pth')
    assert isinstance(found.pop('sampler_seed'), int) and found.pop('device')
    # Between epochs, which have three batches.
    assert found.pop('position') == [0, 3]
    expected = dict(processes=1, batch_size=16, workers=workers, labels=digest(given), torch=torch.__version__)
    expected['images'] = digest(np.empty((0, 2)))
    assert found == expected


def test_loop_without_epochs(tmp_path, capsys):
    """Views are cut on the device; what is read is not random."""
    model = classifier(type='MixupClassifier', data_preprocessor=CUT_ON_DEVICE | dict(views=[dict(transforms=[CROP])]))
    every = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=2))
    settings = dict(
        train_dataloader=loader(PLAIN_PIPELINE, num_workers=0),
        train_cfg=dict(by_epoch=False, max_iters=3),
        default_hooks=every,
    )
    build_runner(tmp_path / 'whole', model, None, SEEDS, **settings).train()
    settings |= dict(resume=True, load_from=str(tmp_path / 'whole' / 'iter_2.pth'))
    build_runner(tmp_path / 'rest', model, None, SEEDS, **settings).train()
    assert differing(tmp_path / 'rest' / 'iter_3.pth', tmp_path / 'whole' / 'iter_3.pth') == []
    assert 'no longer bit for bit' not in capsys.readouterr().out


def test_two_processes(two_processes, tmp_path):
    assert two_processes(train_and_resume, str(tmp_path)) == [[], []]


def test_two_processes_begin_from_the_same_checkpoint(two_processes, tmp_path):
    """Otherwise they would wait for one another until the time-out."""
    for told in two_processes(resume_apart, str(tmp_path)):
        assert 'process 0 from one after 1 epochs and 2 iterations, written 2' in told
        assert 'process 1 from none' in told


def forget(checkpoint):
    """As an earlier release would have saved it."""
    del checkpoint['conditions'], checkpoint['label_quality']


def of_two_processes(checkpoint):
    """As if two processes had trained."""
    checkpoint['conditions']['processes'] = 2


@pytest.mark.parametrize(
    ('change', 'words'),
    [(forget, 'written without EpochSeedHook'), (of_two_processes, 'bit for bit as it would have')],
)
def test_another_run_goes_on_and_says_so(change, words, whole, tmp_path, capsys):
    checkpoint = torch.load(whole('device') / 'epoch_1.pth', weights_only=True)
    change(checkpoint)
    torch.save(checkpoint, tmp_path / 'changed.pth')
    assert resume(tmp_path, tmp_path / 'changed.pth').epoch == EPOCHS
    lines = [line for line in capsys.readouterr().out.splitlines() if 'EpochSeedHook:' in line]
    assert len(lines) == 1 and words in lines[0]
    assert change is forget or 'processes 2 before, 1 now' in lines[0]


SAME = dict(processes=1, batch_size=16, workers='none', labels='a', images='a', device='cpu', torch='2')


@pytest.mark.parametrize(
    ('now', 'settings', 'words'),
    [
        ({}, {}, None),
        (dict(batch_size=8), {}, 'batch size 16 before, 8 now'),
        (dict(processes=2, device='gpu'), {}, 'processes 1 before, 2 now; device cpu before, gpu now'),
        (dict(labels='b'), {}, 'given labels with SHA-256 a before, b now'),
        (dict(images='b'), {}, 'images of open_set with SHA-256 a before, b now'),
        (dict(workers='some', torch='3'), {}, 'workers none before, some now; torch 2 before, 3 now'),
        ({}, dict(iter=7), 'after 1 of the 3 iterations of an epoch, which begins again'),
        # The count of iterations is no multiple any more, once an epoch has begun again.
        ({}, dict(iter=7, position=[0, 3]), None),
        ({}, dict(iter=7, position=[2, 3]), 'after 2 of the 3 iterations of an epoch, which begins again'),
        (dict(batch_size=8), dict(position=[2, 3]), 'batch size 16 before, 8 now; the checkpoint was written after 2'),
        ({}, dict(position=[3, 3]), 'after all 3 iterations of an epoch, but before what follows the last of them'),
        ({}, dict(counts=4), 'gradients of the last 2 iterations, not applied yet'),
    ],
)
def test_what_is_no_longer_exact_is_said(now, settings, words):
    settings = dict(iter=6, counts=1) | settings
    runner = SimpleNamespace(
        iter=settings['iter'],
        model=torch.nn.Linear(1, 1),
        train_loop=None,
        train_dataloader=range(3),
        cfg=dict(optim_wrapper=dict(accumulative_counts=settings['counts'])),
    )
    position = {'position': settings['position']} if 'position' in settings else {}
    reasons = '; '.join(what_has_changed(runner, SAME | position, SAME | now))
    assert words in reasons if words else not reasons
    if 'images' in now:
        # A checkpoint of an earlier release does not say which there were.
        assert not what_has_changed(runner, {**SAME, 'images': None}, SAME | now)


@pytest.mark.parametrize('deterministic', [False, True])
def test_a_gpu_is_exact_by_deterministic_algorithms_alone(deterministic, monkeypatch):
    monkeypatch.setattr(torch, 'are_deterministic_algorithms_enabled', lambda: deterministic)
    weight = SimpleNamespace(device=torch.device('cuda'))
    runner = SimpleNamespace(
        iter=6,
        model=SimpleNamespace(parameters=lambda: iter([weight])),
        train_loop=None,
        train_dataloader=range(3),
        cfg={},
    )
    reasons = what_has_changed(runner, SAME, SAME)
    assert not reasons if deterministic else 'kernels of the GPU may sum in another order' in reasons[0]


def test_position_within_an_epoch(tmp_path, capsys):
    """Checkpoints by iterations, of epochs of three: an epoch that begins again is told, and only then."""
    every = dict(checkpoint=dict(type='AtomicCheckpointHook', by_epoch=False, interval=1, save_best='accuracy/top1'))
    train(tmp_path / 'whole', default_hooks=every)
    # The last was saved again when the validation after the epoch had found a best one.
    found = {number: conditions_in(tmp_path / 'whole' / f'iter_{number}.pth')['position'] for number in (2, 3, 5)}
    assert found == {2: [2, 3], 3: [0, 3], 5: [2, 3]}
    capsys.readouterr()
    by_epoch = dict(checkpoint=dict(type='AtomicCheckpointHook', interval=1))
    resume(tmp_path / 'first', tmp_path / 'whole' / 'iter_2.pth', default_hooks=by_epoch)
    assert 'after 2 of the 3 iterations of an epoch' in capsys.readouterr().out
    resume(tmp_path / 'second', tmp_path / 'first' / 'epoch_1.pth', default_hooks=by_epoch)
    assert 'no longer bit for bit' not in capsys.readouterr().out


SCHEDULES = [
    dict(type='LinearLR', start_factor=0.5, begin=0, end=1, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', begin=1),
]
SGD = dict(type='SGD', lr=0.01, momentum=0.9)


@pytest.fixture(scope='module')
def scheduled(tmp_path_factory):
    """A checkpoint of a run with schedules, whose rate is scaled to the batch size."""
    work_dir = tmp_path_factory.mktemp('scheduled')
    scale = dict(enable=True, base_batch_size=16)
    train(work_dir, max_epochs=2, param_scheduler=SCHEDULES, optim_wrapper=dict(optimizer=SGD), auto_scale_lr=scale)
    return work_dir / 'epoch_1.pth'


@pytest.mark.parametrize(
    ('changes', 'expected'),
    [
        ({}, []),
        (dict(optim_wrapper=dict(optimizer=dict(SGD, lr=0.5, weight_decay=0.1))), ['lr=0.5 (0.01 there)', 'weight_d']),
        # Half the rate, and the same epochs in twice as many iterations.
        (dict(batch_size=8), ['lr=0.005 (0.01 there)', 'LinearLR.end=6 (3 there)', 'auto_scale_lr does not scale']),
        # Its end is nowhere in the config.
        (dict(max_epochs=4), ['CosineAnnealingLR.end=4 (2 there)', 'after the end of a schedule']),
        (dict(param_scheduler=SCHEDULES[:1]), ['schedules of another number or kind']),
        (dict(param_scheduler=[SCHEDULES[0], dict(type='ExponentialLR', gamma=0.5)]), ['another number or kind']),
        (dict(param_scheduler=None), ['another number or kind']),
    ],
    ids=['same', 'optimizer', 'batch size', 'epochs', 'fewer', 'kind', 'none'],
)
def test_settings_that_are_left_aside(changes, expected, scheduled, tmp_path, capsys):
    """The optimizer and its schedules are those of the checkpoint, as a line says that names what the config has."""
    images = loader(PLAIN_PIPELINE, num_workers=0) | {k: v for k, v in changes.items() if k == 'batch_size'}
    settings = dict(
        param_scheduler=SCHEDULES,
        optim_wrapper=dict(optimizer=SGD),
        auto_scale_lr=dict(enable=True, base_batch_size=16),
        train_dataloader=images,
    ) | {key: value for key, value in changes.items() if key != 'batch_size'}
    model, hooks, _ = KINDS['device']
    runner = build_runner(
        tmp_path, model, None, *hooks, SEEDS, **(dict(max_epochs=2, resume=True, load_from=str(scheduled)) | settings)
    )
    runner.register_hook(Stop())
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    lines = [line for line in capsys.readouterr().out.splitlines() if 'EpochSeedHook:' in line]
    lines = [line for line in lines if 'no longer bit for bit' not in line]
    assert len(lines) == bool(expected)
    assert all(words in lines[0] for words in expected)
    assert [group['initial_lr'] for group in runner.optim_wrapper.param_groups] == [0.01]
