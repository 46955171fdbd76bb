# SPDX-License-Identifier: Apache-2.0
"""Configs that cannot be read, and parts that do not fit one another."""

import functools
from unittest import mock

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner, set_random_seed
from mmpretrain.registry import DATA_SAMPLERS, DATASETS, HOOKS, MODELS, TASK_UTILS
from mmpretrain.structures import DataSample
from test_tools.toolbox import DIGITS
from toy_runs import PLAIN_PIPELINE, THREE_VIEWS, build_runner, classifier, elr, hook, noisy_digits, tcl

from tcl_plugin import cli
from tcl_plugin.detection import DetectionWarning

from .desk import Desk, case
from .noise import noisy

# Reading


@case('config-missing')
def missing(desk: Desk) -> str:
    return desk.tool('train', 'gone.py')


@case('config-is-a-folder')
def is_a_folder(desk: Desk) -> str:
    return desk.tool('train', '.')


@case('config-syntax')
def syntax(desk: Desk) -> str:
    return desk.tool('train', desk.write('my.py', 'a = 1\nmodel = (\n').name)


@case('config-unknown-name')
def unknown_name(desk: Desk) -> str:
    return desk.tool('train', desk.write('my.py', 'a = 1\nmodel = undefined\n').name)


@case('config-not-text')
def not_text(desk: Desk) -> str:
    return desk.tool('train', desk.write('my.py', b'\xff\xfe\0').name)


@case('config-base-missing')
def base_missing(desk: Desk) -> str:
    return desk.tool('train', desk.write('my.py', "_base_ = ['./gone.py']\n").name)


@case('config-key-missing')
def key_missing(desk: Desk) -> str:
    return desk.tool('train', desk.write('my.py', 'model = dict()\n').name)


@case('config-module-missing')
def module_missing(desk: Desk) -> str:
    text = "custom_imports = dict(imports=['my_models'], allow_failed_imports=False)\n"
    return desk.tool('train', desk.write('my.py', text).name)


@case('config-option-does-not-fit')
def option_does_not_fit(desk: Desk) -> str:
    desk.write('my.py', 'model = dict(depth=18)\n')
    return desk.tool('train', 'my.py', '--cfg-options', 'model.depth.x=1')


# Parts


def model(desk: Desk, **changes) -> str:
    return desk.building(lambda: MODELS.build(tcl() | changes))


@case('config-unknown-type')
def unknown_type(desk: Desk) -> str:
    return model(desk, type='TLC')


@case('config-unknown-argument')
def unknown_argument(desk: Desk) -> str:
    return desk.building(lambda: MODELS.build(tcl(warmup_epoch=5)))


@case('config-argument-missing')
def argument_missing(desk: Desk) -> str:
    return desk.building(lambda: MODELS.build(classifier(head=dict(type='LinearClsHead', num_classes=10))))


@case('config-optimizer-unknown')
def optimizer_unknown(desk: Desk) -> str:
    wrapper = dict(optimizer=dict(type='SDG', lr=0.1))
    return desk.building(lambda: build_optim_wrapper(torch.nn.Linear(2, 2), wrapper))


@case('config-learning-rate-text')
def learning_rate_text(desk: Desk) -> str:
    wrapper = dict(optimizer=dict(type='SGD', lr='0.1'))
    return desk.building(lambda: build_optim_wrapper(torch.nn.Linear(2, 2), wrapper))


@case('config-batch-size')
def batch_size(desk: Desk) -> str:
    loader = dict(batch_size=0, dataset=noisy_digits(), sampler=dict(type='DefaultSampler', shuffle=True))
    return desk.building(lambda: Runner.build_dataloader(loader))


@case('config-seed')
def seed(desk: Desk) -> str:
    return desk.building(lambda: set_random_seed(-1))


def runner(desk: Desk, *hooks: dict, model: dict | None = None, **changes) -> str:
    """Build a whole run, and be refused before the first epoch."""

    def build() -> None:
        with torch.random.fork_rng():
            built = build_runner(desk.folder, model or classifier(), PLAIN, *hooks, **changes)
            cli.build_parts(built, 'train_loop', 'val_loop')
            for one in built.hooks:
                one.before_train(built)

    return desk.building(build)


PLAIN = noisy_digits(pipeline=PLAIN_PIPELINE)


def trained_with(desk: Desk, option: str) -> str:
    return desk.tool('train', DIGITS, '--cfg-options', 'train_dataloader.dataset.dataset.indices=64', option)


@case('config-seed-misspelt')
def seed_misspelt(desk: Desk) -> str:
    return trained_with(desk, 'randomness.sed=3')


@case('config-epochs-text')
def epochs_text(desk: Desk) -> str:
    return trained_with(desk, 'train_cfg.max_epochs=two')


@case('config-hook-misspelt')
def hook_misspelt(desk: Desk) -> str:
    return trained_with(desk, 'default_hooks.chekpoint.interval=3')


@case('config-step-misspelt')
def step_misspelt(desk: Desk) -> str:
    pipeline = "val_dataloader = dict(dataset=dict(pipeline=[dict(tpye='PackInputs')]))"
    desk.write('my.py', f'_base_ = {str(DIGITS)!r}\n{pipeline}\n')
    return desk.tool('train', 'my.py')


@case('config-no-epochs')
def no_epochs(desk: Desk) -> str:
    return runner(desk, max_epochs=0)


@case('config-no-batches')
def no_batches(desk: Desk) -> str:
    sampler = dict(type='DefaultSampler', shuffle=True)
    loader = dict(batch_size=64, num_workers=0, drop_last=True, dataset=PLAIN, sampler=sampler)
    return runner(desk, train_dataloader=loader)


@case('classes-of-head')
def classes_of_head(desk: Desk) -> str:
    return runner(desk, model=classifier(head=dict(type='LinearClsHead', num_classes=7, in_channels=16)))


@case('topk-of-evaluator')
def topk_of_evaluator(desk: Desk) -> str:
    return runner(desk, val_evaluator=dict(type='Accuracy', topk=(1, 20)))


@case('classes-of-data')
def classes_of_data(desk: Desk) -> str:
    return noisy(desk, num_classes=7)


@case('classes-are-text')
def classes_are_text(desk: Desk) -> str:
    return noisy(desk, num_classes='10')


# Views and heads


@functools.cache
def built(kind: str) -> torch.nn.Module:
    """A small model: ``'tcl'``, ``'plain'``, or one with the head of the other."""
    configs = dict(
        tcl=tcl(),
        tcl_with_plain_preprocessor=tcl() | dict(data_preprocessor=dict(type='ClsDataPreprocessor')),
        plain=classifier(),
        tcl_with_linear_head=tcl() | dict(head=classifier()['head']),
        plain_with_tcl_head=classifier(head=tcl()['head']),
        mixup=classifier(type='MixupClassifier'),
        narrow=classifier(head=dict(type='LinearClsHead', num_classes=10, in_channels=32)),
    )
    return MODELS.build(configs[kind])


def samples(count: int = 4, label: int = 1) -> list[DataSample]:
    return [DataSample(metainfo=dict(sample_idx=i)).set_gt_label(label) for i in range(count)]


def step(desk: Desk, kind: str, inputs: object, label: int = 1) -> str:
    """Do to a batch what training does."""

    def run() -> None:
        network = built(kind)
        data = network.data_preprocessor(dict(inputs=inputs, data_samples=samples(label=label)), True)
        network(**data, mode='loss')

    return desk.running(run)


IMAGES = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)


@case('views-one-for-tcl')
def views_one_for_tcl(desk: Desk) -> str:
    return step(desk, 'tcl', IMAGES)


@case('views-two-for-tcl')
def views_two_for_tcl(desk: Desk) -> str:
    return step(desk, 'tcl', [IMAGES] * 2)


@case('views-stacked-for-tcl')
def views_stacked_for_tcl(desk: Desk) -> str:
    return step(desk, 'tcl_with_plain_preprocessor', [IMAGES] * 3)


@case('views-three-for-plain-training')
def views_three_for_plain(desk: Desk) -> str:
    # As mmpretrain's own preprocessor stacks the views that MultiView makes.
    return desk.running(lambda: built('plain')([IMAGES.float()] * 3, samples(), mode='loss'))


@case('views-stacked-for-plain-training')
def views_stacked_for_plain(desk: Desk) -> str:
    return step(desk, 'plain', [IMAGES] * 3)


@case('views-three-for-mixup')
def views_three_for_mixup(desk: Desk) -> str:
    return step(desk, 'mixup', [IMAGES] * 3)


@case('views-not-packed')
def views_not_packed(desk: Desk) -> str:
    return desk.running(lambda: built('plain').data_preprocessor(dict(img=IMAGES), training=True))


def batch_views(desk: Desk, **view) -> str:
    """Build a preprocessor of one kind of view, and cut views of images of 8 x 8 pixels."""

    def cut() -> None:
        preprocessor = MODELS.build(dict(type='BatchViewDataPreprocessor', views=[view]))
        preprocessor(dict(inputs=IMAGES), training=True)

    return desk.building(cut)


@case('views-of-wrong-size')
def views_of_wrong_size(desk: Desk) -> str:
    return batch_views(desk, transforms=[dict(type='BatchRandomCrop', size=32, padding=4)])


@case('views-with-transforms-of-pipelines')
def views_with_transforms_of_pipelines(desk: Desk) -> str:
    return batch_views(desk, transforms=[dict(type='RandomFlip')])


@case('views-without-transforms')
def views_without_transforms(desk: Desk) -> str:
    return batch_views(desk, num_views=2)


@case('head-of-plain-training-in-tcl')
def head_of_plain_training(desk: Desk) -> str:
    return step(desk, 'tcl_with_linear_head', [IMAGES] * 3)


@case('head-of-tcl-in-plain-training')
def head_of_tcl(desk: Desk) -> str:
    return step(desk, 'plain_with_tcl_head', IMAGES)


@case('head-in-channels')
def head_in_channels(desk: Desk) -> str:
    return step(desk, 'narrow', IMAGES)


@case('head-tokens')
def head_tokens(desk: Desk) -> str:
    return desk.running(lambda: MODELS.build(tcl()['head']).pre_logits((torch.zeros(4, 5, 16),)))


@case('head-channels-last')
def head_channels_last(desk: Desk) -> str:
    return desk.running(lambda: MODELS.build(tcl()['head']).pre_logits((torch.zeros(4, 7, 7, 16),)))


@case('head-channels-last-pooled')
def head_channels_last_pooled(desk: Desk) -> str:
    class TIMMBackbone(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
            return (torch.zeros(len(images), 7, 7, 16),)

    def run() -> None:
        network = MODELS.build(classifier())
        network.backbone = TIMMBackbone()
        network(IMAGES.float())

    return desk.running(run)


@case('head-several-tensors')
def head_several_tensors(desk: Desk) -> str:
    pair = (torch.zeros(4, 16), torch.zeros(4, 16))  # as those of DistilledVisionTransformer
    return desk.running(lambda: MODELS.build(tcl()['head']).pre_logits((pair,)))


@case('head-neck-of-maps')
def head_neck_of_maps(desk: Desk) -> str:
    return desk.running(lambda: MODELS.build(dict(type='GlobalAveragePooling'))((torch.zeros(4, 16),)))


@case('head-batch-of-one')
def head_batch_of_one(desk: Desk) -> str:
    return step(desk, 'plain', IMAGES[:1])


@case('head-label-outside')
def head_label_outside(desk: Desk) -> str:
    return step(desk, 'plain', IMAGES, label=12)


@case('head-warmup')
def head_warmup(desk: Desk) -> str:
    return desk.building(lambda: MODELS.build(tcl(warmup_epochs=-1)))


@case('head-without-hook')
def head_without_hook(desk: Desk) -> str:
    network = MODELS.build(tcl(warmup_epochs=0))
    return desk.running(lambda: network([IMAGES.float()] * 3, samples(), mode='loss'))


# Hooks, detectors, samplers


def hooked(desk: Desk, **arguments) -> str:
    return desk.building(lambda: HOOKS.build(dict(type='LabelNoiseHook') | arguments))


@case('hook-interval')
def hook_interval(desk: Desk) -> str:
    return hooked(desk, interval=0)


@case('hook-after-checkpoints')
def hook_after_checkpoints(desk: Desk) -> str:
    return runner(desk, hook() | dict(priority='LOWEST'))


BATCH_MIXUP = dict(train_cfg=dict(augments=dict(type='Mixup', alpha=1.0)))


@case('hook-batch-augments')
def hook_batch_augments(desk: Desk) -> str:
    noisy_data = dict(batch_size=16, num_workers=0, dataset=noisy_digits(pipeline=THREE_VIEWS))
    loading = noisy_data | dict(sampler=dict(type='DefaultSampler', shuffle=True))
    return runner(desk, hook(), model=tcl() | BATCH_MIXUP, train_dataloader=loading)


@case('hook-batch-augments-later')
def hook_batch_augments_later(desk: Desk) -> str:
    recipe = dict(action_epoch=2, batch_augments=BATCH_MIXUP['train_cfg'])
    noisy_data = dict(batch_size=16, num_workers=0, dataset=noisy_digits(pipeline=PLAIN_PIPELINE))
    loading = noisy_data | dict(sampler=dict(type='DefaultSampler', shuffle=True))
    hooks = [dict(type='SampleStateHook'), dict(type='SwitchRecipeHook', schedule=[recipe])]
    return runner(desk, *hooks, model=elr(), train_dataloader=loading)


@case('mixup-batch-augments')
def mixup_batch_augments(desk: Desk) -> str:
    return desk.building(lambda: MODELS.build(classifier(type='MixupClassifier', **BATCH_MIXUP)))


@case('hook-of-another-loss')
def hook_of_another_loss(desk: Desk) -> str:
    return runner(desk, dict(type='TransitionMatrixHook', source='noise'))


def forward_correction(**loss) -> dict:
    loss = dict(type='ForwardCorrectionLoss', num_classes=10) | loss
    return classifier(head=dict(type='LinearClsHead', num_classes=10, in_channels=16, loss=loss))


@case('hook-of-a-given-matrix')
def hook_of_a_given_matrix(desk: Desk) -> str:
    known = forward_correction(matrix=torch.eye(10).tolist())
    return runner(desk, dict(type='TransitionMatrixHook', source='noise'), model=known)


def going_on(desk: Desk, model: dict, before: dict, after: dict, data: dict, **changes) -> str:
    """Train with a hook and data, and be refused to go on with others."""

    def resume() -> None:
        with torch.random.fork_rng():
            build_runner(desk.folder / 'w', model, PLAIN, before, max_epochs=2, **changes).train()
            last = dict(load_from='w/epoch_2.pth', resume=True)
            build_runner(desk.folder / 'again', model, data, after, max_epochs=4, **last).train()

    return desk.building(resume)


@case('hook-warmup-is-over')
def hook_warmup_is_over(desk: Desk) -> str:
    hooks = [dict(type='TransitionMatrixHook', source='anchors', warmup_epochs=number) for number in (1, 3)]
    return going_on(desk, forward_correction(), *hooks, data=PLAIN)


@case('hook-corrected-labels')
def hook_corrected_labels(desk: Desk) -> str:
    norm = dict(classifier()['data_preprocessor'], type='ClsDataPreprocessor')
    model = tcl() | dict(type='TCLPlus', data_preprocessor=norm)
    torch.save(dict(state_dict=MODELS.build(model).state_dict()), 'first.pth')
    relabel = dict(type='RelabelHook', detector=dict(type='OODDetector'))
    data = PLAIN | dict(noise=PLAIN['noise'] | dict(seed=1))
    return going_on(desk, model, relabel, relabel, data=data, load_from='first.pth')


@case('hook-table-of-labels')
def hook_table_of_labels(desk: Desk) -> str:
    model = classifier(head=dict(type='PENCILHead', num_classes=10, in_channels=16))
    data = PLAIN | dict(noise=PLAIN['noise'] | dict(seed=1))
    state = dict(type='SampleStateHook')
    return going_on(desk, model, state, state, data=data)


@case('detector-unknown')
def detector_unknown(desk: Desk) -> str:
    return hooked(desk, detector=dict(type='OODDetecter'))


@case('detector-is-none')
def detector_is_none(desk: Desk) -> str:
    return hooked(desk, detector=dict(type='SymmetricNoise', rate=0.5))


@case('detector-is-text')
def detector_is_text(desk: Desk) -> str:
    return hooked(desk, detector='OODDetector')


@case('detector-neighbours')
def detector_neighbours(desk: Desk) -> str:
    return hooked(desk, detector=dict(type='KNNDetector', k=0))


@case('detector-spread')
def detector_spread(desk: Desk) -> str:
    return hooked(desk, detector=dict(type='OODDetector', sigma=0))


@case('held-out-without-validation')
def held_out_without_validation(desk: Desk) -> str:
    nothing = dict(val_dataloader=None, val_evaluator=None, val_cfg=None)
    return holding_out(desk, dict(PLAIN, held_out=0.3), **nothing)


@case('held-out-inside')
def held_out_inside(desk: Desk) -> str:
    return holding_out(desk, dict(type='RepeatDataset', times=2, dataset=dict(PLAIN, held_out=0.3)))


@case('held-out-others')
def held_out_others(desk: Desk) -> str:
    hook = HOOKS.build(dict(type='HeldOutHook'))
    dataset = DATASETS.build(dict(PLAIN, held_out=0.3))
    resumed = mock.Mock(iter=3, train_dataloader=mock.Mock(dataset=dataset))
    return desk.building(lambda: hook.before_train(resumed))


def holding_out(desk: Desk, dataset: dict, hook: str = 'HeldOutHook', **changes) -> str:
    """Train on a data set that holds images out."""
    data = dict(sampler=dict(type='DefaultSampler', shuffle=True), dataset=dataset, batch_size=8)
    return runner(desk, dict(type=hook), train_dataloader=data, **changes)


@case('neighbours-in-plain-data')
def neighbours_in_plain_data(desk: Desk) -> str:
    return holding_out(desk, dict(type='RepeatDataset', times=2, dataset=PLAIN), hook='KNNAccuracyHook')


@case('neighbours-without-validation')
def neighbours_without_validation(desk: Desk) -> str:
    nothing = dict(val_dataloader=None, val_evaluator=None, val_cfg=None)
    return holding_out(desk, PLAIN, hook='KNNAccuracyHook', **nothing)


@case('detector-missing')
def detector_missing(desk: Desk) -> str:
    return runner(desk, hook(None), model=tcl())


@case('detector-of-scores-alike')
def detector_of_scores_alike(desk: Desk) -> str:
    detector = TASK_UTILS.build(dict(type='OODDetector'))
    labels = torch.zeros(6, dtype=torch.int64).numpy()
    with pytest.warns(DetectionWarning, match='all samples'):
        found = detector.clean_probability(torch.full((6,), 0.1).numpy(), labels, 10)
    return f'accepted: clean probability {found.min():g}, and a warning'


@case('detector-per-class-of-few')
def detector_per_class_of_few(desk: Desk) -> str:
    detector = TASK_UTILS.build(dict(type='OODDetector', per_class=True))
    scores, labels = torch.rand(5).numpy(), torch.tensor([0, 0, 1, 1, 2]).numpy()
    with pytest.warns(DetectionWarning, match='class 2'):
        found = detector.clean_probability(scores, labels, 3)
    return f'accepted: clean probability {found[4]:g} for class 2, and a warning'


@case('detector-after-divergence')
def detector_after_divergence(desk: Desk) -> str:
    detector = TASK_UTILS.build(dict(type='SmallLossDetector'))
    scores, labels = torch.tensor([0.1, float('nan'), 0.3]).numpy(), torch.zeros(3).numpy()
    return desk.running(lambda: detector.clean_probability(scores, labels, 10))


def sampled(desk: Desk, dataset: dict, **arguments) -> str:
    sampler = dict(type='ClassBalancedSubsetSampler') | arguments
    return desk.building(lambda: DATA_SAMPLERS.build(sampler, default_args=dict(dataset=DATASETS.build(dataset))))


@case('sampler-of-plain-data')
def sampler_of_plain_data(desk: Desk) -> str:
    return sampled(desk, noisy_digits()['dataset'], num_samples=20)


@case('sampler-of-nothing')
def sampler_of_nothing(desk: Desk) -> str:
    return sampled(desk, noisy_digits(pipeline=THREE_VIEWS), num_samples=0)


@case('data-wrapped-twice')
def data_wrapped_twice(desk: Desk) -> str:
    return desk.building(lambda: DATASETS.build(dict(type='NoisyLabelDataset', dataset=noisy_digits())))


@case('data-not-outermost')
def data_not_outermost(desk: Desk) -> str:
    repeated = dict(type='RepeatDataset', times=2, dataset=PLAIN)
    sampler = dict(type='DefaultSampler', shuffle=True)
    return runner(desk, hook(), train_dataloader=dict(batch_size=16, num_workers=0, dataset=repeated, sampler=sampler))


@case('memory-of-the-gpu')
def memory_of_the_gpu(desk: Desk) -> str:
    def allocate() -> None:
        raise torch.cuda.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total of ...')

    return desk.running(allocate)
