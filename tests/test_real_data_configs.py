# SPDX-License-Identifier: Apache-2.0
"""Every config for data with real noise reads a tiny tree in the published layout, takes a step and predicts."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from config_steps import shrink
from data_builders import balanced_labels, build_cifar10, build_cifar100, cifar_without_md5
from folder_config import QUICK, completed_folder_config
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import HOOKS, MODELS, TRANSFORMS
from test_configs import NAMES
from test_tools.toolbox import NARROW
from tree_builders import (
    build_animal10n,
    build_cifar10n,
    build_cifar100n,
    build_clothing1m,
    build_cnwl,
    build_food101,
    build_food101n,
    build_ilsvrc12,
    build_own_folder,
    build_webvision,
    write_image,
)

ROOT = Path(__file__).resolve().parents[1]

# Type of the training set, its number of classes, and its length in the tiny tree.
REAL = {
    'tcl_r18_cifar10n_aggre': ('CIFAR10', 10, 50),
    'tcl_r18_cifar10n_random1': ('CIFAR10', 10, 50),
    'tcl_r18_cifar10n_random2': ('CIFAR10', 10, 50),
    'tcl_r18_cifar10n_random3': ('CIFAR10', 10, 50),
    'tcl_r18_cifar10n_worse': ('CIFAR10', 10, 50),
    'tcl_r18_cifar100n_noisy': ('CIFAR100', 100, 200),
    'tcl_r18_cifar100n_coarse': ('CIFAR100Coarse', 20, 200),
    'tcl_r18_webvision': ('WebVision', 50, 100),
    'ce_r18_webvision': ('WebVision', 50, 100),
    'tcl_irv2_webvision': ('WebVision', 50, 100),
    'tcl_r18_webvision_ilsvrc12': ('WebVision', 50, 100),
    'ce_r18_webvision_ilsvrc12': ('WebVision', 50, 100),
    'tcl_irv2_webvision_ilsvrc12': ('WebVision', 50, 100),
    'tcl_r50_clothing1m': ('Clothing1M', 14, 56),
    'ce_r50_clothing1m': ('Clothing1M', 14, 56),
    'tcl_r50_food101n': ('Food101N', 101, 16),
    'tcl_r18_animal10n': ('Animal10N', 10, 40),
    'tcl_r18_miniimagenet_red40': ('MiniImageNetCNWL', 100, 100),
    'tcl_r18_miniimagenet_blue40': ('MiniImageNetCNWL', 100, 100),
    'tcl_r50_folder': ('CSVDataset', 3, 27),
    'tcl_r50_csv': ('CSVDataset', 3, 27),
}
# Those that train as another does, on the same images, take no step of their own.
STEPS = [name for name in REAL if not name.endswith(('ilsvrc12', 'random1', 'random2', 'random3', 'worse', 'blue40'))]
TWINS = ['r18_webvision', 'r50_clothing1m']
# Large enough for every network, small enough for a test.
SMALLER = {224: 64, 256: 72, 299: 80, 320: 88}


def read(name):
    """Read a config by its name."""
    if name in ('tcl_r50_folder', 'tcl_r50_csv'):
        return completed_folder_config('data/my_images', 'work', kind=name.removeprefix('tcl_r50_'), **QUICK)
    return Config.fromfile(ROOT / 'configs' / f'{name}.py')


@pytest.fixture(autouse=True)
def default_scope():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield


@pytest.fixture(scope='module')
def data_folder(tmp_path_factory):
    """A folder in which `data/` holds tiny trees, where the configs look for them."""
    folder = tmp_path_factory.mktemp('real')
    data = folder / 'data'
    build_cifar10(data / 'cifar10', images_per_batch=10)
    build_cifar10n(data / 'cifar10' / 'CIFAR-10_human.pt', balanced_labels(50, 10))
    build_cifar100(data / 'cifar100')
    build_cifar100n(data / 'cifar100' / 'CIFAR-100_human.pt', balanced_labels(200, 100))
    build_webvision(data / 'webvision')
    build_ilsvrc12(data / 'imagenet', images_per_class=1)
    build_clothing1m(data / 'clothing1m')
    build_food101n(data / 'food101n')
    build_food101(data / 'food-101')
    build_animal10n(data / 'animal10n')
    build_cnwl(data / 'mini-imagenet')
    images = build_own_folder(data / 'my_images')
    rows = [
        f'{path.relative_to(images)},{path.relative_to(images).parts[0]}'
        for path in images.glob('[!_]*/**/*.[pJ][nP][gG]')
    ]
    (images / 'train.csv').write_text('\n'.join(['img_path,gt_label', *rows]), encoding='utf-8')
    with cifar_without_md5():
        yield folder


def shrink_more(cfg):
    """Make a config fast that has large images, and leave the rest as it is."""
    shrink(cfg)
    backbone = cfg.model.backbone
    backbone.pop('init_cfg', None)
    if backbone.type == 'ResNet':
        backbone.update(base_channels=NARROW, stem_channels=NARROW)
        cfg.model.head.in_channels = 8 * NARROW * (4 if backbone.depth == 50 else 1)
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        cfg[key].update(num_workers=0, batch_size=2 if backbone.type == 'TIMMBackbone' else 4)
        smaller(cfg[key].dataset)


def smaller(part):
    """Replace the sizes of images in the transforms of a dataset's config."""
    values = part.values() if isinstance(part, dict) else part
    for key, value in part.items() if isinstance(part, dict) else ():
        if key in ('scale', 'crop_size') and value in SMALLER:
            part[key] = SMALLER[value]
    for value in values:
        if isinstance(value, (dict, list)):
            smaller(value)


def needs_timm(name):
    if 'irv2' in name and not importlib.util.find_spec('timm'):
        pytest.skip('timm is not installed (requirements/optional.txt)')


def build_model(cfg):
    return MODELS.build({**cfg.model, 'data_preprocessor': cfg.data_preprocessor})


def test_all_are_here():
    datasets = {name.split('_')[2] for name in REAL}
    found = {path.stem for path in (ROOT / 'configs').glob('*.py') if re.match(r'(tcl|ce)_', path.stem)} - set(NAMES)
    assert {name for name in found if len(name.split('_')) > 2 and name.split('_')[2] in datasets} == set(REAL)


@pytest.mark.parametrize('name', STEPS)
def test_takes_a_step_and_predicts(name, data_folder, monkeypatch):
    needs_timm(name)
    monkeypatch.chdir(data_folder)
    cfg = read(name)
    shrink_more(cfg)
    model = build_model(cfg)
    optim_wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    hooks = [HOOKS.build(hook) for hook in cfg.get('custom_hooks', [])]
    assert bool(hooks) == name.startswith('tcl')

    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    kind, num_classes, length = REAL[name]
    dataset = loader.dataset
    assert (type(dataset.dataset).__name__, dataset.num_classes, len(dataset)) == (kind, num_classes, length)
    assert model.head.num_classes == cfg.data_preprocessor.num_classes == num_classes
    if hasattr(model.head, 'set_clean_prob'):
        model.head.set_clean_prob(torch.full((length,), 0.7))
        model.head.start_epoch(cfg.train_cfg.max_epochs - 1)
        assert not model.head.in_warmup
    before = {key: value.clone() for key, value in model.named_parameters() if value.ndim > 1}
    losses = model.train().train_step(next(iter(loader)), optim_wrapper)
    assert losses and all(value.isfinite() for value in losses.values()), losses
    after = dict(model.named_parameters())
    assert not [key for key, value in before.items() if torch.equal(value, after[key])]
    predict(model, cfg.val_dataloader, cfg.val_evaluator, num_classes)


def predict(model, dataloader, evaluator, num_classes):
    batch = next(iter(Runner.build_dataloader(dataloader)))
    samples = model.eval().val_step(batch)
    assert {sample.pred_score.shape for sample in samples} == {(num_classes,)}
    evaluator = Evaluator(evaluator)
    evaluator.process(samples, batch)
    assert 'accuracy/top1' in evaluator.evaluate(len(samples))


@pytest.mark.parametrize('name', [name for name in REAL if name.endswith('ilsvrc12')])
def test_second_test_set(name, data_folder, monkeypatch):
    monkeypatch.chdir(data_folder)
    first, cfg = read(name.removesuffix('_ilsvrc12')), read(name)
    for key in ('model', 'data_preprocessor', 'train_dataloader', 'val_dataloader', 'optim_wrapper'):
        assert cfg[key] == first[key], key
    assert first.test_dataloader == first.val_dataloader
    shrink_more(cfg)
    if name == 'tcl_r18_webvision_ilsvrc12':
        predict(build_model(cfg), cfg.test_dataloader, cfg.test_evaluator, 50)
    imagenet, val = (Runner.build_dataloader(cfg[f'{key}_dataloader']).dataset for key in ('test', 'val'))
    assert (type(imagenet).__name__, len(imagenet)) == ('ILSVRC12', 50) and imagenet.CLASSES == val.CLASSES


@pytest.mark.parametrize('experiment', TWINS)
def test_twin_of_plain_training(experiment):
    tcl, twin = read(f'tcl_{experiment}'), read(f'ce_{experiment}')
    assert (tcl.model.type, twin.model.type) == ('TCL', 'FastImageClassifier')
    assert tcl.model.backbone == twin.model.backbone and tcl.data_preprocessor == twin.data_preprocessor
    for key in ('batch_size', 'sampler', 'drop_last'):
        assert tcl.train_dataloader[key] == twin.train_dataloader[key], key
    assert twin.train_dataloader.dataset.dataset.pipeline == twin.one_view
    assert tcl.train_dataloader.dataset.dataset.pipeline == tcl.three_views
    for key in (
        'val_dataloader',
        'test_dataloader',
        'optim_wrapper',
        'param_scheduler',
        'train_cfg',
        'test_evaluator',
    ):
        assert tcl[key] == twin[key], key


# CIFAR-10N and CIFAR-100N


@pytest.mark.parametrize(
    ('name', 'key'),
    [
        ('cifar10n_aggre', 'aggre_label'),
        ('cifar10n_random1', 'random_label1'),
        ('cifar10n_random2', 'random_label2'),
        ('cifar10n_random3', 'random_label3'),
        ('cifar10n_worse', 'worse_label'),
        ('cifar100n_noisy', 'noisy_label'),
        ('cifar100n_coarse', 'noisy_coarse_label'),
    ],
)
def test_labels_of_people(name, key, data_folder, monkeypatch):
    monkeypatch.chdir(data_folder)
    cfg = read(f'tcl_r18_{name}').train_dataloader.dataset
    dataset = Runner.build_dataloader(dict(dataset=cfg, batch_size=2, sampler=dict(type='DefaultSampler'))).dataset
    content = torch.load(cfg.label_file, weights_only=True)
    given, true = content[key], content['clean_coarse_label' if 'coarse' in key else 'clean_label']
    assert dataset.given_labels.tolist() == list(given) and dataset.true_labels.tolist() == list(true)
    assert 0 < dataset.noise_rate == np.mean(np.array(given) != np.array(true)) < 0.6


def test_images_of_other_classes_in_mini_imagenet(data_folder, monkeypatch):
    monkeypatch.chdir(data_folder)
    red, blue = (
        read(f'tcl_r18_miniimagenet_{colour}40').train_dataloader.dataset.dataset for colour in ('red', 'blue')
    )
    assert (red.colour, blue.colour) == ('red', 'blue') and {**red, 'colour': 'blue'} == {**blue}


def test_labels_of_superclasses_are_none_of_classes(data_folder, monkeypatch):
    """Those from 0 to 19 would all be classes, nearly all of them wrong."""
    monkeypatch.chdir(data_folder)
    cfg = read('tcl_r18_cifar100n_noisy').train_dataloader.dataset
    cfg.label_key = 'noisy_coarse_label'
    with pytest.raises(ValueError, match=r'clean_coarse_label is .* where the dataset has'):
        Runner.build_dataloader(dict(dataset=cfg, batch_size=2, sampler=dict(type='DefaultSampler')))


@pytest.mark.parametrize('name', ['cifar10n_worse', 'cifar100n_noisy'])
def test_labels_in_another_order_are_refused(name, data_folder, monkeypatch, tmp_path):
    monkeypatch.chdir(data_folder)
    cfg = read(f'tcl_r18_{name}').train_dataloader.dataset
    build = build_cifar10n if 'cifar10n' in name else build_cifar100n
    num, num_classes = (50, 10) if 'cifar10n' in name else (200, 100)
    cfg.label_file = str(build(tmp_path / 'labels.pt', balanced_labels(num, num_classes)[::-1].copy()))
    with pytest.raises(ValueError, match='is for another order of the images: clean_label is'):
        Runner.build_dataloader(dict(dataset=cfg, batch_size=2, sampler=dict(type='DefaultSampler')))


# A config of one's own


def test_config_for_a_table_in_the_docs(tmp_path, monkeypatch):
    """Nothing of the data set and the noise of the config that it stands on is left."""
    page = (ROOT / 'docs' / 'datasets.md').read_text(encoding='utf-8')
    (text,) = [part for part in re.findall(r'```python\n(.*?)```', page, re.DOTALL) if part.startswith('# pets.py')]
    (tmp_path / 'pets.py').write_text(text.replace("'configs/", f"'{ROOT}/configs/"))
    monkeypatch.chdir(tmp_path)
    rows = ['img_path,gt_label']
    for label, path in enumerate(('cats/1.jpg', 'dogs/7.jpg')):
        write_image(tmp_path / 'data' / 'pets' / path, label, 2)
        rows.append(f'{path},{("cat", "dog")[label]}')
    for part in ('train', 'val'):
        (tmp_path / 'data' / 'pets' / f'{part}.csv').write_text('\n'.join(rows))
    cfg = Config.fromfile('pets.py')
    shrink_more(cfg)
    train = Runner.build_dataloader(cfg.train_dataloader).dataset
    assert train.given_labels.tolist() == [0, 1] and train.true_labels is None and len(train[0]['inputs']) == 3
    predict(build_model(cfg), cfg.test_dataloader, cfg.test_evaluator, 2)


# Channels of large images


@pytest.mark.parametrize('name', ['tcl_r18_webvision', 'tcl_irv2_webvision', 'tcl_r50_clothing1m'])
def test_images_are_bgr_until_the_preprocessor(name, tmp_path):
    cfg = read(name)
    (view,) = [step for step in cfg.train_dataloader.dataset.dataset.pipeline if step.type == 'MultiView']
    assert view.num_views == [1, 2]
    (gray,) = [step for step in view.transforms[1] if step.type == 'RandomGrayscale']
    gray = TRANSFORMS.build(dict(gray, prob=1.0))
    for channel, weight in enumerate((0.114, 0.587, 0.299)):  # blue, green, red
        image = np.zeros((2, 2, 3), np.uint8)
        image[..., channel] = 200
        out = gray(dict(img=image))['img']
        assert out.shape == (2, 2, 3) and np.unique(out).tolist() == [int(weight * 200)]
    norm = cfg.data_preprocessor
    preprocessor = MODELS.build(norm)
    blue = torch.tensor([255, 0, 0], dtype=torch.uint8).view(1, 3, 1, 1)
    out = preprocessor(dict(inputs=blue))['inputs'].flatten().tolist()
    assert out == pytest.approx(
        [(value - m) / s for value, m, s in zip((0, 0, 255), norm.mean, norm.std, strict=True)]
    )


def test_views_of_a_large_image(data_folder, monkeypatch, tmp_path):
    monkeypatch.chdir(data_folder)
    cfg = read('tcl_r18_webvision').train_dataloader.dataset
    dataset = Runner.build_dataloader(dict(dataset=cfg, batch_size=2, sampler=dict(type='DefaultSampler'))).dataset
    views = dataset[0]['inputs']
    assert [tuple(view.shape) for view in views] == [(3, 224, 224)] * 3
    assert all(view.dtype == torch.uint8 for view in views)
    write_image(tmp_path / 'wide.png', 0, 2, size=300)
    loaded = dataset.dataset.pipeline(dict(img_path=str(tmp_path / 'wide.png'), gt_label=0))
    assert len({view.numpy().tobytes() for view in loaded['inputs']}) == 3
