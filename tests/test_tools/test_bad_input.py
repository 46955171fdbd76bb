# SPDX-License-Identifier: Apache-2.0
"""Wrong data and wrong settings: one line that names file and value, and nothing of an earlier run is lost."""

import socket
import time

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.datasets import CIFAR10
from mmpretrain.registry import MODELS
from toolbox import DIGITS, ROOT, options

from tcl_plugin.cli import fetch_weights, misfits, weights
from tcl_plugin.errors import UserError

NUM_TRAIN, NUM_CLASSES = 64, 10
LABELS = np.arange(NUM_TRAIN) % NUM_CLASSES
EARLIER = ('label_quality.csv', 'epoch_2.pth', 'last_checkpoint')

LABEL_FILE = ('train_dataloader.dataset.noise=None', 'train_dataloader.dataset.label_file=labels.npy')


def labels_with(index, label):
    """Labels of which one is replaced."""
    labels = LABELS.copy()
    labels[index] = label
    return labels


@pytest.fixture
def complain(train_tool, workplace, capsys):
    """Train with bad input in the work directory of an earlier run; return the one line about it."""
    work_dir = workplace / 'w'
    work_dir.mkdir()
    for name in EARLIER:
        (work_dir / name).write_text(f'{name} of an earlier run')

    def call(*flags, config=DIGITS):
        argv = [str(config), '--work-dir', 'w', *options(f'experiment_name={workplace.name}', *flags)]
        assert train_tool.main(argv) == 2
        printed = capsys.readouterr()
        assert printed.err.startswith('error: ') and printed.err.count('\n') == 1, printed.err
        assert 'Traceback' not in printed.out
        assert [path.name for path in work_dir.glob('*.pth')] == ['epoch_2.pth']
        for name in EARLIER:
            assert (work_dir / name).read_text() == f'{name} of an earlier run'
        return printed.err

    return call


# Labels


@pytest.mark.parametrize(
    ('labels', 'words'),
    [
        (LABELS[1:], ['63 labels', 'expected 64']),
        (LABELS.astype(float), ['integer', 'float64']),
        (labels_with(5, -1), ['label -1', 'index 5', '0..9']),
        (labels_with(7, NUM_CLASSES), ['label 10', 'index 7', '0..9']),
        (None, ['does not exist']),
    ],
)
def test_label_file(complain, labels, words):
    if labels is not None:
        np.save('labels.npy', labels)
    line = complain(*LABEL_FILE)
    assert all(word in line for word in ['labels.npy', *words]), line


@pytest.mark.parametrize(
    ('flag', 'words'),
    [
        ('rate=1.5', ['noise rate', '1.5', '[0, 1]']),
        ('rate=-0.1', ['noise rate', '-0.1', '[0, 1]']),
        ('type=SymetricNoise', ["'SymetricNoise'", 'registry', 'spelling']),
    ],
)
def test_noise(complain, flag, words):
    line = complain(f'train_dataloader.dataset.noise.{flag}')
    assert all(word in line for word in words), line


# Parts that do not fit


@pytest.mark.parametrize(
    ('flag', 'words'),
    [
        ('custom_hooks=[]', ['TCLHead', 'custom_hooks', 'LabelNoiseHook', 'OODDetector']),
        ('model.head.num_classes=7', ['7 classes', 'has 10', 'model.head.num_classes=10']),
        ('train_dataloader.dataset.num_classes=7', ['num_classes=7', 'SklearnDigits has 10 classes']),
    ],
)
def test_parts_that_do_not_fit(complain, flag, words):
    line = complain(flag)
    assert all(word in line for word in words), line


# Data sets that are not there

NO_IMAGES = 'train_dataloader.dataset.dataset.indices=None'


@pytest.fixture
def offline(monkeypatch):
    """A machine that finds no server."""

    def refuse(*args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')

    monkeypatch.setattr(socket, 'getaddrinfo', refuse)


@pytest.mark.parametrize(
    ('config', 'words'),
    [
        ('tcl_r18_cifar10_sym80', ['put cifar-10-python.tar.gz into data/cifar10,', 'data_root', 'not known']),
        ('tcl_r18_cifar100_sym80', ['put cifar-100-python.tar.gz into data/cifar100,', 'data_root', 'not known']),
        ('tcl_r18_fmnist_sym80', ["'data/fashion_mnist/'", 'train-images-idx3-ubyte.gz', 'data_root', 'not known']),
    ],
)
def test_data_set_is_missing(complain, offline, config, words):
    line = complain(NO_IMAGES, config=ROOT / 'configs' / f'{config}.py')
    assert all(word in line for word in words), line


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        ([], ['cannot download https://', 'resnet50', 'not known']),
        (['model.backbone.init_cfg.checkpoint=gone.pth'], ['gone.pth']),
    ],
)
def test_weights_to_start_from_are_missing(complain, offline, workplace, monkeypatch, flags, words):
    """Told before any data are looked at, which here are missing, too."""
    monkeypatch.setenv('TORCH_HOME', str(workplace / 'cache'))
    line = complain(*flags, config=ROOT / 'configs' / 'tcl_r50_clothing1m.py')
    options = ('model.backbone.init_cfg.checkpoint=FILE', 'model.backbone.init_cfg=None')
    assert all(word in line for word in ['model.backbone.init_cfg: ', *words, *options]), line


@pytest.mark.parametrize(('prefix', 'width', 'share'), [('', 8, None), ('backbone.', 8, None), ('', 16, 0)])
def test_weights_of_another_network_are_told_of(workplace, prefix, width, share):
    def network(channels):
        return dict(type='mmpretrain.ResNet', depth=18, base_channels=channels, stem_channels=channels)

    state = MODELS.build(network(width)).state_dict()
    torch.save(dict(state_dict={f'{prefix}{name}': value for name, value in state.items()}), 'other.pth')
    init_cfg = dict(type='Pretrained', checkpoint='other.pth') | (dict(prefix=prefix) if prefix else {})
    cfg = Config(dict(model=dict(type='FastImageClassifier', backbone=network(8))))
    model = MODELS.build(cfg.model)
    cfg.model.backbone.init_cfg = init_cfg
    told = misfits(model, fetch_weights(cfg))
    assert len(told) == (share is not None)
    assert all(line.startswith('model.backbone.init_cfg fills only 0% of the parameters') for line in told)
    cfg.model.backbone.init_cfg = [dict(type='Kaiming', layer='Conv2d'), dict(init_cfg, prefix='neck')]
    with pytest.raises(UserError, match=r"other\.pth has no weights whose names begin with prefix='neck\.'"):
        fetch_weights(cfg)
    torch.save([1, 2], 'other.pth')
    with pytest.raises(UserError, match=r'other\.pth holds no weights by name'):
        fetch_weights(cfg)


def test_server_that_does_not_answer(complain, monkeypatch):
    """It accepts connections, and says nothing."""
    monkeypatch.setenv('no_proxy', '*')
    monkeypatch.setattr(weights, 'DOWNLOAD_SECONDS', 0.2)
    with socket.create_server(('127.0.0.1', 0)) as server:
        url = f'http://127.0.0.1:{server.getsockname()[1]}/cifar-10-python.tar.gz'
        monkeypatch.setattr(CIFAR10, 'url', url)
        start = time.monotonic()
        line = complain(NO_IMAGES, config=ROOT / 'configs' / 'tcl_r18_cifar10_sym80.py')
    assert time.monotonic() - start < 20
    assert f'cannot download {url}: timed out; put cifar-10-python.tar.gz into data/cifar10' in line
    assert socket.getdefaulttimeout() is None


def test_download_that_breaks_off(complain, monkeypatch):
    """mmpretrain notices by the file's checksum, and forgets to say which file it is about."""

    def half(url, path, *args, **kwargs):
        with open(path, 'wb') as file:
            file.write(b'half of it')

    monkeypatch.setattr('mmpretrain.datasets.utils.download_url_to_file', half)
    line = complain(NO_IMAGES, config=ROOT / 'configs' / 'tcl_r18_cifar10_sym80.py')
    assert 'cannot download https://' in line and 'corrupted' in line and 'into data/cifar10,' in line
