# SPDX-License-Identifier: Apache-2.0
"""Every config of a method has the values of its source; those that are our choice stay as they were measured."""

import pytest
from config_steps import CONFIGS, read, value_at

# By method: a key of the config, and its value; or values by part of the config's name, where '' is for all others.
LOSS, HOOK, SECOND = 'model.head.loss', 'custom_hooks.0.detector', 'custom_hooks.1'
VALUES = {
    # Peers. Generalised and symmetric cross-entropy, ELR: their papers and codes.
    'gce': {f'{LOSS}.type': 'GeneralizedCrossEntropyLoss', f'{LOSS}.q': 0.7},
    'sce': {
        f'{LOSS}.type': 'SymmetricCrossEntropyLoss',
        f'{LOSS}.alpha': {'cifar100': 6.0, '': 0.1},
        f'{LOSS}.beta': {'cifar100': 0.1, '': 1.0},
    },
    'mixup': {'model.type': 'MixupClassifier', 'model.mixup_alpha': 1.0},
    'elr': {
        'model.head.type': 'ELRHead',
        'model.head.beta': {'cifar100': 0.9, 'asym40': 0.9, '': 0.7},
        'model.head.lam': {'cifar100': 7.0, 'asym40': 1.0, '': 3.0},
        f'{SECOND}.type': 'SampleStateHook',
    },
    'pencil': {'model.head.type': 'PENCILHead', f'{SECOND}.type': 'SampleStateHook'},
    'forward': {f'{LOSS}.type': 'ForwardCorrectionLoss', f'{SECOND}.source': 'noise'},
    'forwardest': {
        f'{LOSS}.type': 'ForwardCorrectionLoss',
        f'{SECOND}.source': 'anchors',
        f'{SECOND}.percentile': {'cifar100': None, '': 97.0},
        f'{SECOND}.warmup_epochs': {'digits': 6, 'fmnist6k': 10, '': 20},
    },
    'mcorrection': {
        'model.type': 'MCorrection',
        'model.mixup_alpha': 32.0,
        f'{HOOK}.type': 'BetaMixtureDetector',
    },
    # Variants: what is switched off is 0, and what takes the place of a part of TCL is named.
    'tclbaseline': {
        'model.head.entropy_weight': 0.0,
        'model.head.align_cls_weight': 0.0,
        'model.head.align_proto_weight': 0.0,
    },
    'tclensemble': {'model.head.type': 'TCLEnsembleHead', f'{SECOND}.type': 'SampleStateHook'},
    'tclknn': {f'{HOOK}.type': 'KNNDetector', f'{HOOK}.k': {'digits': 50, 'fmnist6k': 100, '': None}},
    'tclloss': {f'{HOOK}.type': 'SmallLossDetector'},
    'tclmoco': {
        'model.type': 'TCLMoCo',
        'model.momentum': {'digits': 0.99, 'fmnist6k': 0.995, '': 0.999},
        'model.queue_size': {'digits': 1024, 'fmnist6k': 2048, '': 4096},
        'model.head.contrast_weight': {'cifar': 1.0, '': None},
    },
    'tclnoalign': {'model.head.align_cls_weight': 0.0, 'model.head.align_proto_weight': 0.0},
    'tclnoreg': {'model.head.entropy_weight': 0.0},
    'tclsigma': {f'{HOOK}.type': 'OODDetector', f'{HOOK}.sigma': 'estimated'},
    'tclplus': {
        'model.type': 'TCLPlus',
        'model.bootstrap_epoch': {'digits': 5, 'fmnist6k': 10, '': 30},
        'model.bootstrap_weight': 0.2,
        'model.mixup_alpha': 1.0,
        f'{HOOK}.type': 'OODDetector',
        'custom_hooks.0.threshold': {'cifar100': 0.2, '': None},
        f'{SECOND}.detector.type': 'SmallLossDetector',
        'param_scheduler': [],  # a constant learning rate
    },
    # TCL itself: the loss as its published code weighs it on CIFAR; CIFAR-100 as in the one configuration for it.
    'tcl': {
        'model.head.contrast_weight': {'_cifar': 0.25, '': None},
        'model.head.scale_mix': {'cifar100': 1.0, '': None},
        'model.head.scale_cross': None,
        'model.head.temperature': None,
        'model.head.warmup_epochs': {'digits': 6, 'fmnist6k': 10, '': None},
        f'{HOOK}.type': 'OODDetector',
        f'{HOOK}.per_class': {'cifar100': True, '': None},
        f'{HOOK}.sigma': None,
    },
}
FOLDERS = ('', 'peers/', 'variants/')
NAMES = sorted(
    f'{folder}{path.stem}'
    for folder in FOLDERS
    for path in (CONFIGS / folder).glob('*.py')
    if path.stem.split('_')[0] in VALUES and any(data in path.stem for data in ('digits', 'fmnist6k', '_cifar'))
)


def test_every_method_is_here():
    assert {name.split('/')[-1].split('_')[0] for name in NAMES} == set(VALUES)
    assert len(NAMES) > 130


@pytest.mark.parametrize('method', VALUES)
def test_values(method):
    for name in NAMES:
        if name.split('/')[-1].split('_')[0] != method:
            continue
        cfg = read(name)
        for key, value in VALUES[method].items():
            if isinstance(value, dict):
                value = next(found for part, found in value.items() if part in name)
            assert value_at(cfg, key) == value, (name, key)
