# SPDX-License-Identifier: Apache-2.0
"""Every config builds, takes a step and predicts; it is what its name says; the published recipe is met."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from config_steps import CONFIGS, read, take_a_step, tiny_archives
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from mmpretrain.registry import BATCH_AUGMENTS, MODELS
from test_tools.toolbox import load_file
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
# Those with injected noise; test_real_data_configs.py has the others.
NAMES = sorted(path.stem for path in CONFIGS.glob('*.py') if re.search(r'_(a?sym|idn)\d\d', path.stem))

CIFAR10_NOISE = ('sym20', 'sym50', 'sym80', 'sym90', 'asym40')
PROMISED = [
    *(f'r18_cifar10_{noise}' for noise in (*CIFAR10_NOISE, 'idn40', 'sym30_open30')),
    *(f'r18_cifar100_{noise}' for noise in CIFAR10_NOISE[:4]),
    *(f'r18_fmnist_{noise}' for noise in CIFAR10_NOISE),
    *(f'digits_{noise}' for noise in ('sym50', 'sym80')),
]

METHODS = {'tcl': 'TCL', 'ce': 'FastImageClassifier'}
NETWORKS = {
    'r18': dict(type='PreActResNet', depth=18),
    'r18w16': dict(type='PreActResNet', depth=18, base_channels=16),
    'r18w8': dict(type='PreActResNet', depth=18, base_channels=8),
    'resnetcifar18': dict(type='ResNet_CIFAR', depth=18),
    'vit': dict(type='VisionTransformer'),
    'convnext': dict(type='ConvNeXt'),
}
# Type of the data set, its classes, how many of its images are trained on, and the mapping of asymmetric noise.
DATASETS = {
    'cifar10': ('CIFAR10', 10, None, 'cifar10'),
    'cifar100': ('CIFAR100', 100, None, None),
    'fmnist': ('FashionMNISTRGB', 10, None, 'fashion_mnist'),
    'fmnist6k': ('FashionMNISTRGB', 10, 6000, 'fashion_mnist'),
    'digits': ('SklearnDigits', 10, None, None),
}
KINDS = {'sym': 'SymmetricNoise', 'asym': 'AsymmetricNoise', 'idn': 'InstanceDependentNoise'}
# Where the images of open-set noise come from.
OPEN_SETS = {'cifar10': dict(type='CIFAR100', data_root='data/cifar100', split='train')}
NAME = re.compile(
    r'(?P<method>tcl|ce)_((?P<network>[a-z0-9]+)_)?(?P<data>[a-z0-9]+)'
    r'_(?P<kind>sym|asym|idn)(?P<rate>\d\d)(_open(?P<open>\d\d))?'
)

# The published schedule.
EPOCHS, WARMUP, PEAK, LOWEST = 200, 20, 0.12, 0.0012


# Every config


@pytest.fixture(scope='module')
def data_folder(tmp_path_factory):
    """A folder in which `data/` holds tiny archives."""
    with tiny_archives(tmp_path_factory.mktemp('configs')) as folder:
        yield folder


@pytest.mark.parametrize('name', NAMES)
def test_builds_and_takes_a_step(name, data_folder, monkeypatch):
    monkeypatch.chdir(data_folder)
    take_a_step(read(name))


@pytest.mark.parametrize('name', NAMES)
def test_is_what_its_name_says(name):
    said, cfg = NAME.fullmatch(name), read(name)
    assert said, f'{name} is not method_network_dataset_noise'
    train_set, val_set = cfg.train_dataloader.dataset, cfg.val_dataloader.dataset
    assert cfg.model.type == METHODS[said['method']]
    network = NETWORKS[said['network'] or 'r18w8']
    assert {key: cfg.model.backbone.get(key) for key in network} == network
    if said['network'] == 'r18':
        assert 'base_channels' not in cfg.model.backbone  # the default is the paper's

    # Those for a CPU compare between CPUs; the others are as fast as the device allows.
    assert cfg.model.bfloat16 is (said['data'] not in ('digits', 'fmnist6k'))

    kind, num_classes, indices, mapping = DATASETS[said['data']]
    noise = dict(type=KINDS[said['kind']], rate=int(said['rate']) / 100, seed=0)
    if said['kind'] == 'asym':
        noise.update(mapping=mapping)
    assert (train_set.type, train_set.noise) == ('NoisyLabelDataset', noise)
    open_set = said['open'] and dict(
        type='OpenSetNoise', rate=int(said['open']) / 100, dataset=OPEN_SETS[said['data']], seed=0
    )
    assert train_set.get('open_set') == open_set
    assert (train_set.dataset.type, train_set.dataset.split, train_set.dataset.get('indices')) == (
        kind,
        'train',
        indices,
    )
    assert (val_set.type, val_set.split, val_set.get('indices')) == (kind, 'test', None)
    assert (cfg.test_dataloader, cfg.test_evaluator) == (cfg.val_dataloader, cfg.val_evaluator)
    assert cfg.model.head.num_classes == cfg.data_preprocessor.num_classes == num_classes
    assert cfg.default_scope == 'mmpretrain' and cfg.custom_imports['imports'] == ['tcl_plugin']


@pytest.mark.parametrize('experiment', PROMISED)
def test_promised_config_has_a_twin_of_plain_training(experiment):
    tcl, twin = read(f'tcl_{experiment}'), read(f'ce_{experiment}')
    for key in ('dataset', 'batch_size', 'sampler', 'drop_last'):
        assert tcl.train_dataloader[key] == twin.train_dataloader[key], key
    for key in ('mean', 'std'):
        assert tcl.data_preprocessor[key] == twin.data_preprocessor[key], key
    assert tcl.val_dataloader.dataset == twin.val_dataloader.dataset
    assert tcl.val_evaluator == twin.val_evaluator
    assert tcl.train_cfg.max_epochs == twin.train_cfg.max_epochs
    assert tcl.model.backbone == twin.model.backbone


# All that TCL may have, and plain training not: what it is, what watches it, and the views that it sees.
OWN = {'model', 'custom_hooks', 'data_preprocessor', 'strong_view'}
TWINS = sorted(name.removeprefix('ce_') for name in NAMES if name.startswith('ce_'))


def test_twins_differ_in_the_method_alone():
    """Optimiser, schedule, batch, data and evaluation are the same, to the last entry."""
    assert len(TWINS) > 18 and 'r18w16_fmnist6k_sym80' in TWINS
    for experiment in TWINS:
        tcl, twin = (read(f'{method}_{experiment}').to_dict() for method in ('tcl', 'ce'))
        assert {key for key in tcl | twin if tcl.get(key) != twin.get(key)} <= OWN, experiment


# The published recipe


def test_what_neither_paper_nor_code_settles_is_marked_as_our_choice():
    # Those of sym20 and sym90 on CIFAR-10 and of sym90 on CIFAR-100 are published.
    cifar = [
        *(f'cifar10_{noise}' for noise in ('sym50', 'sym80', 'asym40', 'idn40', 'sym30_open30')),
        'cifar100_sym20',
    ]
    names = [*(f'tcl_r18_{part}' for part in (*cifar, 'cifar100_sym50', 'cifar100_sym80'))]
    unsettled = [
        f'variants/tcl{variant}_*.py' for variant in ('ensemble', 'sigma', 'loss', 'knn', 'moco', 'plus', 'baseline')
    ]
    paths = [CONFIGS / f'{name}.py' for name in names] + [path for each in unsettled for path in CONFIGS.glob(each)]
    assert len(paths) == len(names) + 7 * 7
    # What a base marks is another choice.
    assert [path.stem for path in paths if 'our choice' not in path.read_text(encoding='utf-8').lower()] == []


def test_published_head_and_mixup():
    init_default_scope('mmpretrain')
    cfg = read('tcl_r18_cifar10_sym90')
    model = MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor})
    head = model.head
    # 20 epochs, counted from 1 up to the 19th.
    assert (head.warmup_epochs, head.temperature, head.proto_temperature, model.mixup_alpha) == (19, 0.25, 0.25, 1.0)
    assert [list(layer.weight.shape) for layer in head.classifier if isinstance(layer, nn.Linear)] == [
        [512, 512],
        [10, 512],
    ]
    assert [list(layer.weight.shape) for layer in head.projector if isinstance(layer, nn.Linear)] == [
        [512, 512],
        [256, 512],
    ]
    assert [layer.p for layer in head.classifier if isinstance(layer, nn.Dropout)] == [0.25]
    weights = (head.cross_weight, head.entropy_weight, head.align_cls_weight, head.align_proto_weight)
    assert weights == (1.0, 1.0, 1.0, 1.0)
    assert not model.forward_weak and head.prototypes.shape == (10, 256)


def test_published_optimiser_and_views():
    cfg = read('tcl_r18_cifar10_sym90')
    optimizer = dict(type='SGD', lr=0.12, momentum=0.9, weight_decay=1e-3, fused=True)
    assert cfg.optim_wrapper.to_dict() == dict(optimizer=optimizer)
    flip = dict(type='BatchRandomFlip', prob=0.5)
    strong = [
        dict(type='BatchRandomResizedCrop', size=32, scale=(0.2, 1.0)),
        flip,
        dict(type='BatchColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, prob=0.8),
        dict(type='BatchRandomGrayscale', prob=0.2),
        dict(type='BatchRandomSolarize', threshold=128, prob=0.5),
    ]
    weak = [dict(type='BatchRandomCrop', size=32, padding=4), flip]
    views = [dict(num_views=1, transforms=weak), dict(num_views=2, transforms=strong)]
    assert cfg.data_preprocessor.to_dict()['views'] == views


# The published learning rate


class Dot(nn.Module):
    """One parameter, and the interface of a model."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        raise NotImplementedError


def schedule(cfg, work_dir, world_size, batch_size):
    """Return the learning rate of each epoch, from mmengine's own schedulers, in a run of so many processes."""
    runner = Runner(
        model=Dot(),
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=batch_size, num_workers=0, dataset=[0] * 8, sampler=dict(type='DefaultSampler', shuffle=False)
        ),
        train_cfg=cfg.train_cfg,
        optim_wrapper=cfg.optim_wrapper,
        param_scheduler=cfg.param_scheduler,
        auto_scale_lr=cfg.auto_scale_lr,
        experiment_name=f'{work_dir.name}_{world_size}_{cfg.auto_scale_lr.enable}',
        default_scope='mmpretrain',
        log_level='WARNING',
    )
    runner._world_size = world_size
    # What Runner.train() does, in its order.
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.scale_lr(runner.optim_wrapper, runner.auto_scale_lr)
    schedulers = runner.build_param_scheduler(runner.param_schedulers)
    assert all(scheduler.by_epoch for scheduler in schedulers)
    rates = []
    for _ in range(runner.max_epochs):
        rates += runner.optim_wrapper.get_lr()['lr']
        runner.optim_wrapper.step()
        for scheduler in schedulers:
            scheduler.step()
    return rates


def published_rate(epoch):
    """The formula; epochs count from 1."""
    if epoch <= WARMUP:
        return PEAK * epoch / WARMUP
    return LOWEST + (PEAK - LOWEST) * (1 + math.cos(math.pi * (epoch - WARMUP) / EPOCHS)) / 2


def test_published_schedule(tmp_path):
    rates = schedule(read('tcl_r18_cifar10_sym90'), tmp_path, world_size=4, batch_size=256)
    assert rates == pytest.approx([published_rate(epoch) for epoch in range(1, EPOCHS + 1)], rel=1e-9)
    assert round(rates[-1], 4) == 0.0041 and max(rates) == pytest.approx(rates[WARMUP - 1]) == pytest.approx(0.12)


@pytest.mark.parametrize('flags', [[], ['--auto-scale-lr']])
@pytest.mark.parametrize(('world_size', 'peak'), [(1, 0.03), (4, 0.12)])
def test_learning_rate_follows_the_batch(flags, world_size, peak, tmp_path):
    tool = load_file(ROOT / 'tools' / 'train.py')
    cfg = read('tcl_r18_cifar10_sym90')
    tool.set_optimizer(cfg, tool.parse_args(['config.py', *flags]))
    rates = schedule(cfg, tmp_path, world_size, cfg.train_dataloader.batch_size)
    assert cfg.train_dataloader.batch_size == 256
    assert max(rates) == pytest.approx(peak)
    assert rates[-1] == pytest.approx(published_rate(EPOCHS) * peak / PEAK)


# Channels


@pytest.fixture(scope='module')
def cifar10():
    """The config of CIFAR-10's data."""
    init_default_scope('mmpretrain')
    return read('tcl_r18_cifar10_sym90')


def strong_view(cfg, kind, image):
    """Send an image of one colour through the one transform of this type in the strong view, which always acts."""
    weak, strong = cfg.data_preprocessor.views
    assert (weak.num_views, strong.num_views) == (1, 2)
    (step,) = [step for step in strong.transforms if step.type == kind]
    transform = BATCH_AUGMENTS.build(dict(step, prob=1.0))
    params = transform.draw(1, (32, 32), torch.Generator())
    return transform.apply(torch.tensor(image).float().view(1, 3, 1, 1).expand(-1, -1, 32, 32).clone(), params)


@pytest.mark.parametrize('channel', [0, 1, 2])
def test_grayscale_weighs_red_green_and_blue(cifar10, channel):
    out = strong_view(cifar10, 'BatchRandomGrayscale', np.eye(3)[channel] * 255)
    assert out.round().unique().tolist() == [round((0.299, 0.587, 0.114)[channel] * 255)]
    assert out.shape == (1, 3, 32, 32)


def test_solarisation_inverts_from_128_on(cifar10):
    out = strong_view(cifar10, 'BatchRandomSolarize', (127, 128, 255))
    assert out[0, :, 0, 0].tolist() == [127, 127, 0]


def flat_image(*colour):
    return np.full((32, 32, 3), colour, dtype=np.uint8)


def test_images_are_normalised_as_they_come(cifar10):
    model = MODELS.build(dict(cifar10.model, data_preprocessor=cifar10.data_preprocessor))
    image = torch.from_numpy(flat_image(255, 0, 0)).permute(2, 0, 1)[None]
    out = model.data_preprocessor(dict(inputs=image))['inputs'][0, :, 0, 0]
    norm = cifar10.data_preprocessor
    assert out.tolist() == pytest.approx(
        [(255 - norm.mean[0]) / norm.std[0], -norm.mean[1] / norm.std[1], -norm.mean[2] / norm.std[2]], rel=1e-4
    )
