# SPDX-License-Identifier: Apache-2.0
"""Every config of a variant of TCL differs from TCL in one thing, builds and takes a step."""

import pytest
from config_steps import CONFIGS, read, take_a_step, tiny_archives

EXPERIMENTS = (
    'digits_sym80',
    'r18w16_fmnist6k_sym80',
    'r18_cifar10_sym50',
    'r18_cifar10_sym90',
    'r18_cifar10_asym40',
    'r18_cifar100_sym50',
    'r18_cifar100_sym90',
)
NAMES = sorted(path.stem for path in (CONFIGS / 'variants').glob('*.py'))

# What a variant may change: entries of the model, of its head, and of the detector.
CHANGES = dict(
    tclbaseline=({'head'}, {'warmup_epochs', 'entropy_weight', 'align_cls_weight', 'align_proto_weight'}, set()),
    tclensemble=({'head'}, {'type'}, set()),
    tclknn=(set(), set(), {'type', 'k'}),
    tclloss=(set(), set(), {'type'}),
    tclmoco=({'type', 'momentum', 'queue_size'}, set(), set()),
    tclnoalign=({'head'}, {'align_cls_weight', 'align_proto_weight'}, set()),
    tclnoreg=({'head'}, {'entropy_weight'}, set()),
    tclsigma=(set(), set(), {'sigma'}),
)
VARIANTS = (*CHANGES, 'tclplus')
TYPES = dict(tclensemble='TCLEnsembleHead', tclknn='KNNDetector', tclloss='SmallLossDetector', tclmoco='TCLMoCo')


def differences(one, other):
    return {key for key in {*one, *other} if one.get(key) != other.get(key)}


@pytest.fixture(scope='module')
def data_folder(tmp_path_factory):
    """A folder in which `data/` holds tiny archives."""
    with tiny_archives(tmp_path_factory.mktemp('variants')) as folder:
        yield folder


def test_all_are_there():
    assert sorted(f'{variant}_{experiment}' for variant in VARIANTS for experiment in EXPERIMENTS) == NAMES


@pytest.mark.parametrize('variant', VARIANTS)
@pytest.mark.parametrize('experiment', ['digits_sym80', 'r18_cifar100_sym90'])
def test_builds_and_takes_a_step(variant, experiment, data_folder, monkeypatch):
    monkeypatch.chdir(data_folder)
    take_a_step(read(f'variants/{variant}_{experiment}'), trusts_to_the_end=variant == 'tclbaseline')


@pytest.mark.parametrize('name', [name for name in NAMES if not name.startswith('tclplus')])
def test_differs_from_tcl_in_one_thing(name):
    variant, experiment = name.split('_', 1)
    cfg, twin = read(f'variants/{name}'), read(f'tcl_{experiment}')
    in_model, in_head, in_detector = CHANGES[variant]
    assert differences(cfg, twin) == ({'model'} if in_model else set()) | (
        {'custom_hooks'} if in_detector or variant == 'tclensemble' else set()
    )
    if variant == 'tclmoco' and 'cifar' in name:
        in_model, in_head = {*in_model, 'head'}, {'contrast_weight'}
    assert differences(cfg.model, twin.model) == in_model
    assert differences(cfg.model.head, twin.model.head) == in_head
    hook, *others = cfg.custom_hooks
    (twin_hook,) = twin.custom_hooks
    assert differences(hook, twin_hook) == ({'detector'} if in_detector else set())
    assert differences(hook.detector, twin_hook.detector) <= in_detector
    assert [other.type for other in others] == ['SampleStateHook'] * (variant == 'tclensemble')
    assert TYPES.get(variant, 'TCL') in (cfg.model.type, cfg.model.head.type, hook.detector.type)
    if variant == 'tclbaseline':
        assert cfg.model.head.warmup_epochs == cfg.train_cfg.max_epochs


@pytest.mark.parametrize('experiment', EXPERIMENTS)
def test_second_stage_goes_on_from_the_first(experiment):
    cfg, first = read(f'variants/tclplus_{experiment}'), read(f'tcl_{experiment}')
    assert cfg.load_from == f'work_dirs/tcl_{experiment}/epoch_{first.train_cfg.max_epochs}.pth'
    for key in ('backbone', 'neck', 'head'):
        assert cfg.model[key] == first.model[key], key
    assert cfg.train_dataloader == first.train_dataloader
    assert cfg.data_preprocessor.views == first.data_preprocessor.views[:1]  # the weak view
    assert [hook.type for hook in cfg.custom_hooks] == ['RelabelHook', 'LabelNoiseHook']
    assert 0 < cfg.model.bootstrap_epoch < cfg.train_cfg.max_epochs
