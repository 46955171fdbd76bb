# SPDX-License-Identifier: Apache-2.0
"""The benchmark measures what it says, on data of the config's shape, without the data."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import BATCH_AUGMENTS, DATASETS, MODELS, TRANSFORMS
from toolbox import DIGITS, NARROW, ROOT, load_file

from tcl_plugin.benchmark import Measurement, plain_config, use_generated_data
from tcl_plugin.benchmark.generated import Shape, shape_of
from tcl_plugin.benchmark.report import epoch_seconds, num_validations
from tcl_plugin.errors import UserError
from tcl_plugin.models.batch_transforms import BatchTransform

SMALL = [
    f'model.backbone.base_channels={NARROW}',
    f'model.head.in_channels={8 * NARROW}',
    'train_dataloader.num_workers=0',
]
QUICK = ['--batch-size', '16', '--steps', '1', '--rounds', '2', '--samples', '40', '--cfg-options', *SMALL]
STAGES = ['waiting for data', 'transfer', 'views', 'forward', 'backward', 'optimiser']


@pytest.fixture(scope='module')
def benchmark_tool():
    return load_file(ROOT / 'tools' / 'benchmark.py')


def test_compares_fast_and_plain(benchmark_tool, workplace, capsys):
    assert benchmark_tool.main([str(DIGITS), '--compare', '--json', 'figures.json', *QUICK]) == 0
    text = capsys.readouterr().out
    figures = json.loads((workplace / 'figures.json').read_text())
    for name in ('plain', 'fast'):
        found = figures[name]
        assert list(found['stage_seconds']) == STAGES and min(found['stage_seconds'].values()) > 0
        assert found['pass_seconds'].keys() == {'detection', 'evaluation'}
        assert found['batch_size'] == 16
        assert found['samples_per_second'] == pytest.approx(16 / found['step_seconds'])
        assert found['tflops'] == pytest.approx(found['gflop_per_sample'] * found['samples_per_second'] / 1000)
        assert found['share_of_ceiling'] == pytest.approx(found['tflops'] / found['ceiling_tflops'])
        assert found['peak_memory_mib'] > 100
        hours = sum(found['epoch_seconds'].values()) * figures['max_epochs'] / 3600
        assert found['recipe_hours'] == pytest.approx(hours)
        for stage in (*STAGES, 'detection', 'evaluation'):
            assert f'\n{stage}' in text
    ratio = figures['fast']['samples_per_second'] / figures['plain']['samples_per_second']
    assert f'fast trains {ratio:.2f} times as many samples a second as plain' in text
    # Six forward passes in place of five.
    work = figures['plain']['gflop_per_sample'] / figures['fast']['gflop_per_sample']
    assert 1.15 < work < 1.21
    assert not (workplace / 'work_dirs').exists()


def test_one_change_at_a_time(benchmark_tool, workplace, capsys):
    changes = ['model.forward_weak=True', 'default_hooks.resident_data.max_gib=0', 'train_dataloader.batch_size=8']
    assert benchmark_tool.main([str(DIGITS), '--json', 'figures.json', '--versus', *changes, *QUICK[2:]]) == 0
    text = capsys.readouterr().out
    assert 'times as many samples a second as changed' in text
    figures = json.loads((workplace / 'figures.json').read_text())
    fast, changed = (figures[name]['view_seconds'] / figures[name]['batch_size'] for name in ('fast', 'changed'))
    assert figures['changed']['batch_size'] == 8
    assert f'fast cuts the views of {changed / fast:.2f} times as many samples a second as changed' in text
    assert figures['changed']['gflop_per_sample'] > 1.1 * figures['fast']['gflop_per_sample']


def test_plain_training_of_cross_entropy(benchmark_tool, workplace, capsys):
    assert benchmark_tool.main([str(DIGITS.with_name('ce_digits_sym80.py')), '--compare', *QUICK]) == 0
    assert 'times as many samples a second as plain' in capsys.readouterr().out


def test_plain_config_is_the_published_way(workplace):
    cfg = Config.fromfile(ROOT / 'configs' / 'tcl_r18_cifar10_sym90.py')
    plain = plain_config(cfg)
    assert plain.model.forward_weak and 'bfloat16' not in plain.model
    assert plain.data_preprocessor.type == 'MultiViewDataPreprocessor' and 'views' not in plain.data_preprocessor
    assert not {'resident_data', 'runtime_info'} & plain.default_hooks.keys()
    assert 'fused' not in plain.optim_wrapper.optimizer
    assert 'views' in cfg.data_preprocessor  # the original is left alone
    same = ('train_cfg', 'param_scheduler', 'val_dataloader', 'custom_hooks', 'auto_scale_lr')
    assert all(plain[key] == cfg[key] for key in same)

    init_default_scope('mmpretrain')
    use_generated_data(plain, size=32, num_train=6, num_test=2)
    item = DATASETS.build(plain.train_dataloader.dataset)[0]
    assert [tuple(view.shape) for view in item['inputs']] == [(3, 32, 32)] * 3
    assert len({tuple(view.flatten().tolist()) for view in item['inputs']}) == 3
    model = MODELS.build(dict(plain.model, data_preprocessor=plain.data_preprocessor))
    out = model.data_preprocessor(dict(inputs=[torch.stack([view]) for view in item['inputs']]), True)
    assert len(out['inputs']) == 3


def test_plain_views_of_image_files_are_cut_in_their_colours():
    """Files are read with blue first, and grey is mixed from colours by their names."""
    plain = plain_config(Config.fromfile(ROOT / 'configs' / 'tcl_r18_animal10n.py'))
    init_default_scope('mmpretrain')
    weak = next(t for t in plain.train_dataloader.dataset.dataset.pipeline if t.type == 'MultiView').transforms[0]
    to_pil, to_numpy = TRANSFORMS.build(weak[0]), TRANSFORMS.build(weak[-1])
    red = np.zeros((4, 4, 3), dtype=np.uint8)
    red[..., 2] = 200
    image = to_pil(dict(img=red))['img']
    assert plain.data_preprocessor.to_rgb and image.getpixel((0, 0)) == (200, 0, 0)
    assert (to_numpy(dict(img=image))['img'] == red).all()


def test_a_transform_of_ones_own(monkeypatch):
    """It needs to draw and apply; only what is plain cannot be made of it."""

    class Invert(BatchTransform):
        def draw(self, num_images, size, generator):
            return {}

        def apply(self, images, params):
            return 255 - images

    monkeypatch.setitem(BATCH_AUGMENTS.module_dict, 'Invert', Invert)
    cfg = Config.fromfile(DIGITS)
    cfg.data_preprocessor.views[1].transforms.append(dict(type='Invert'))
    images = torch.randint(256, (3, 3, 12, 12), dtype=torch.uint8)
    cut = MODELS.build(cfg.data_preprocessor)(dict(inputs=images), True)['inputs']
    assert [view.shape for view in cut] == [images.shape] * 3
    with pytest.raises(UserError, match='to one image what Invert does to a batch: only BatchColorJitter, '):
        plain_config(cfg)


def test_images_that_replace_others_are_generated_too(workplace):
    cfg = Config.fromfile(ROOT / 'configs' / 'tcl_r18_cifar10_sym30_open30.py')
    use_generated_data(cfg, size=32, num_train=20, num_test=2)
    init_default_scope('mmpretrain')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    assert len(dataset) == 20 and len(dataset.open_noise) == 6


def test_each_part_of_a_training_set_is_replaced(workplace):
    cfg = Config.fromfile(ROOT / 'configs' / 'tcl_r18_cifar10_sym90.py')
    outer = cfg.train_dataloader.dataset
    outer.dataset = dict(type='ConcatDataset', datasets=[outer.dataset, outer.dataset])
    with pytest.raises(UserError, match='images of CIFAR10, CIFAR10 are of unknown size'):
        shape_of(cfg)
    init_default_scope('mmpretrain')
    plain = plain_config(cfg)
    use_generated_data(plain, size=32, num_train=7, num_test=2)
    dataset = DATASETS.build(plain.train_dataloader.dataset)
    assert len(dataset) == 7 and all(len(dataset[i]['inputs']) == 3 for i in (0, 6))


def test_an_epoch_is_what_its_sampler_draws():
    found = Measurement(batch_size=32, num_train=40, num_test=10)
    found.steps.append(0.32)
    cfg, shape = Config.fromfile(ROOT / 'configs' / 'tcl_r50_clothing1m.py'), Shape(224, 1_000_000, 10_000)
    assert cfg.train_dataloader.sampler.num_samples == 32_000
    assert epoch_seconds(found, cfg, shape)['training'] == pytest.approx(320)
    del cfg.train_dataloader.sampler.num_samples
    assert epoch_seconds(found, cfg, shape)['training'] == pytest.approx(10_000)


def test_validations_as_the_loop_makes_them():
    """Every fifth epoch, and the last ten."""
    assert num_validations(dict(max_epochs=60, val_interval=5, dynamic_intervals=[(51, 1)])) == 20
    assert num_validations(dict(max_epochs=12, val_interval=5)) == 3
    assert num_validations(dict(max_epochs=3)) == 3


def test_no_batch_is_refused(benchmark_tool, workplace, capsys):
    held_out = ['--cfg-options', *SMALL, 'train_dataloader.dataset.held_out=0.1']
    argv = [str(DIGITS), '--steps', '1', '--rounds', '1', '--samples', '32', '--batch-size', '32']
    assert benchmark_tool.main([*argv, *held_out]) == 2
    assert 'train_dataloader has no batch: 29 samples, batch_size=32' in capsys.readouterr().err


def test_writes_a_plain_config_that_loads(benchmark_tool, workplace):
    assert benchmark_tool.main([str(DIGITS), '--write-plain', 'plain.py']) == 0
    written = Config.fromfile('plain.py')
    assert written.model.forward_weak and written.train_dataloader.dataset.noise.rate == 0.8


def test_a_folder_for_what_is_written_is_made(benchmark_tool, workplace, capsys):
    assert benchmark_tool.main([str(DIGITS), '--write-plain', 'new/plain.py']) == 0
    assert Path('new/plain.py').is_file()
    assert benchmark_tool.main([str(DIGITS), '--write-plain', 'new']) == 2
    assert capsys.readouterr().err.count('\n') == 1


def test_a_part_of_the_shape_may_be_named(benchmark_tool, workplace, monkeypatch):
    """The rest is the data set's."""
    shapes = []
    monkeypatch.setattr(benchmark_tool, 'prepare', lambda cfg, args, shape, folder: shapes.append(shape) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        benchmark_tool.benchmark([str(DIGITS), '--image-size', '16', '--num-test', '10'])
    assert shapes == [Shape(16, 1437, 10)]


def test_unknown_data_needs_a_shape(benchmark_tool, workplace, capsys):
    folder = ['train_dataloader.dataset.dataset.type=CustomDataset', 'train_dataloader.dataset.label_file=l.npy']
    folder += [
        'train_dataloader.dataset.noise=None',
        'train_dataloader.dataset.dataset.pipeline.0.type=LoadImageFromFile',
    ]
    # Fewer samples than operations are counted on otherwise.
    argv = [str(DIGITS), '--batch-size', '4', '--steps', '1', '--rounds', '1']
    assert benchmark_tool.main([*argv, '--cfg-options', *folder]) == 2
    assert 'images of CustomDataset are of unknown size' in capsys.readouterr().err
    shape = ['--image-size', '16', '--num-train', '40', '--num-test', '10']
    assert benchmark_tool.main([*argv, *shape, '--cfg-options', *SMALL, *folder]) == 0
    assert 'whole recipe' in capsys.readouterr().out
