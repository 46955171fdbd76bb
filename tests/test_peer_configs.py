# SPDX-License-Identifier: Apache-2.0
"""Every config of a peer builds, takes a step, and differs from its twin of plain training in the method alone."""

import pytest
from config_steps import CONFIGS, read, take_a_step, tiny_archives

NAMES = sorted(path.stem for path in (CONFIGS / 'peers').glob('*.py'))
METHODS = ('gce', 'sce', 'mixup', 'elr', 'pencil', 'forward', 'forwardest', 'mcorrection')
EXPERIMENTS = (
    'digits_sym80',
    'r18w16_fmnist6k_sym80',
    *(f'r18_cifar10_{noise}' for noise in ('sym50', 'sym90', 'asym40')),
    *(f'r18_cifar100_{noise}' for noise in ('sym50', 'sym90')),
)


# Of Fashion-MNIST, other noises are made by tools/sweep.py; but ELR has other arguments under this one.
MORE = ['elr_r18w16_fmnist6k_asym40']


def test_all_are_there():
    promised = [f'{method}_{experiment}' for method in METHODS for experiment in EXPERIMENTS]
    assert sorted(promised + MORE) == NAMES


@pytest.fixture(scope='module')
def data_folder(tmp_path_factory):
    """A folder in which `data/` holds tiny archives."""
    with tiny_archives(tmp_path_factory.mktemp('peers')) as folder:
        yield folder


# The other experiments differ in data and noise alone, whose configs test_configs.py builds.
@pytest.mark.parametrize('name', [n for n in NAMES if n.endswith(('digits_sym80', 'cifar100_sym90'))])
def test_builds_and_takes_a_step(name, data_folder, monkeypatch):
    monkeypatch.chdir(data_folder)
    take_a_step(read(f'peers/{name}'))


@pytest.mark.parametrize('name', NAMES)
def test_differs_from_plain_training_in_the_method_alone(name):
    peer, twin = read(f'peers/{name}'), read(f'ce_{name.split("_", 1)[1]}')
    assert {key for key in {*peer, *twin} if peer.get(key) != twin.get(key)} <= {'model', 'custom_hooks'}
    for key in ('backbone', 'neck', 'bfloat16'):
        assert peer.model[key] == twin.model[key], key
    for key in ('num_classes', 'in_channels'):
        assert peer.model.head[key] == twin.model.head[key], key
    # The share of wrong labels that are fitted is measured.
    assert [hook.type for hook in peer.custom_hooks].count('LabelNoiseHook') == 1


@pytest.mark.parametrize('name', [name for name in NAMES if name.startswith('mcorrection')])
def test_warmup_is_in_proportion(name):
    """Published: 105 of 300 epochs."""
    cfg = read(f'peers/{name}')
    assert cfg.model.head.warmup_epochs == round(105 / 300 * cfg.train_cfg.max_epochs)


@pytest.mark.parametrize('name', [name for name in NAMES if name.startswith('pencil')])
def test_phases_are_in_proportion(name):
    """Published: of 320 epochs 70 of warm-up, correction up to 200. What moves labels is the same for all K."""
    cfg = read(f'peers/{name}')
    head, epochs = cfg.model.head, cfg.train_cfg.max_epochs
    assert head.warmup_epochs == round(70 / 320 * epochs)
    assert head.warmup_epochs + head.correction_epochs in (round(200 / 320 * epochs), 200 * epochs // 320)
    assert head.alpha * head.num_classes == pytest.approx(1)
    assert head.label_lr / head.num_classes == pytest.approx(60 / 128 * (2 if 'digits' in name else 1))


@pytest.mark.parametrize('name', [name for name in NAMES if name.startswith('forward')])
def test_matrix_fits_the_classes(name):
    cfg = read(f'peers/{name}')
    assert cfg.model.head.loss.num_classes == cfg.model.head.num_classes
    hook = cfg.custom_hooks[1]
    if hook.source == 'anchors':
        assert hook.warmup_epochs < cfg.train_cfg.max_epochs
        # The percentile lies within the share of a class.
        assert 1 - (hook.percentile or 100) / 100 < 1 / cfg.model.head.num_classes
