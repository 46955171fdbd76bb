# SPDX-License-Identifier: Apache-2.0
"""Every config of a peer builds, takes a step, and differs from its twin of plain training in the method alone."""

import pytest
from config_steps import CONFIGS, read, take_a_step, tiny_archives

NAMES = sorted(path.stem for path in (CONFIGS / 'peers').glob('*.py'))
METHODS = ('gce', 'sce', 'mixup', 'elr', 'forward', 'forwardest', 'mcorrection')
EXPERIMENTS = ('digits_sym80', 'r18w16_fmnist6k_sym80')


def test_all_are_there():
    assert sorted(f'{method}_{experiment}' for method in METHODS for experiment in EXPERIMENTS) == NAMES


@pytest.fixture(scope='module')
def data_folder(tmp_path_factory):
    """A folder in which `data/` holds tiny archives."""
    with tiny_archives(tmp_path_factory.mktemp('peers')) as folder:
        yield folder


@pytest.mark.parametrize('name', NAMES)
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
