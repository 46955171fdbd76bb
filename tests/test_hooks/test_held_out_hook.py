# SPDX-License-Identifier: Apache-2.0
"""A run says how its network agrees with noisy labels that it was not trained on, and trains as if nobody looked."""

import pytest
import torch
from hook_workers import AgreementAlone, train_with_held_out
from toy_runs import PLAIN_PIPELINE, build_runner, classifier, hook, noisy_digits, recorded

from tcl_plugin.datasets.resident import ResidentLoader
from tcl_plugin.hooks import HeldOutHook

HELD_OUT = dict(type='HeldOutHook')
NAME = 'held_out/accuracy/top1'


def build(work_dir, *hooks, share=0.3, seed=0, **changes):
    train_cfg = dict(by_epoch=True, max_epochs=2, val_interval=1)
    data = dict(noisy_digits(pipeline=PLAIN_PIPELINE), held_out=share, held_out_seed=seed)
    return build_runner(work_dir, classifier(), data, *hooks, **dict(train_cfg=train_cfg) | changes)


def train(work_dir, *hooks, **changes):
    runner = build(work_dir, *hooks, **changes)
    runner.train()
    return runner


def of_hook(runner):
    return next(hook for hook in runner.hooks if isinstance(hook, HeldOutHook))


def test_accuracy_on_the_labels_held_out(tmp_path):
    runner = build(tmp_path, HELD_OUT)
    alone = AgreementAlone()
    runner.register_hook(alone)
    runner.train()
    lines = [line for line in recorded(tmp_path) if 'accuracy/top1' in line]
    assert len(of_hook(runner).dataloader.dataset) == 12
    assert [line['step'] for line in lines] == [1, 2]
    assert [line[NAME] for line in lines] == pytest.approx(alone.counted)


def test_training_goes_the_same_way_with_and_without(tmp_path):
    looking = train(tmp_path / 'looking', HELD_OUT, hook(None)).model.state_dict()
    alone = train(tmp_path / 'alone', hook(None)).model.state_dict()
    assert all(torch.equal(looking[name], value) for name, value in alone.items())
    rest = [{k: v for k, v in line.items() if k != NAME} for line in recorded(tmp_path / 'looking')]
    assert rest == recorded(tmp_path / 'alone')


def test_kept_on_the_device_it_counts_the_same(tmp_path):
    kept = train(tmp_path / 'kept', HELD_OUT, dict(type='ResidentDataHook'))
    train(tmp_path / 'plain', HELD_OUT)
    assert isinstance(of_hook(kept).dataloader, ResidentLoader)
    assert recorded(tmp_path / 'kept') == recorded(tmp_path / 'plain')


def test_a_checkpoint_is_kept_by_it(tmp_path):
    train(tmp_path, HELD_OUT, default_hooks=dict(checkpoint=dict(type='CheckpointHook', save_best=NAME)))
    accuracy = {line['step']: line[NAME] for line in recorded(tmp_path) if NAME in line}
    best = max(accuracy, key=accuracy.get)
    assert [path.name for path in tmp_path.glob('best_*')] == [f'best_held_out_accuracy_top1_epoch_{best}.pth']


def test_two_processes_count_together(tmp_path, two_processes):
    """13 images are held out, of which one process has seven."""
    for found, counted in two_processes(train_with_held_out, str(tmp_path)):
        assert found == pytest.approx(counted)
        assert round(13 * found / 100) == pytest.approx(13 * found / 100)


def test_does_nothing_where_nothing_is_held_out(tmp_path):
    assert of_hook(train(tmp_path, HELD_OUT, share=0.0)).dataloader is None
    assert not any(NAME in line for line in recorded(tmp_path))


def test_needs_a_validation(tmp_path):
    nothing = dict(val_dataloader=None, val_evaluator=None, val_cfg=None)
    with pytest.raises(ValueError, match=r'held_out=0.3 keeps images back to validate on, but this run does not'):
        train(tmp_path, HELD_OUT, train_cfg=dict(by_epoch=True, max_epochs=1), **nothing)


def test_validates_through_a_pipeline_of_its_own(tmp_path):
    other = [dict(type='Resize', scale=4), *PLAIN_PIPELINE]
    runner = train(tmp_path, dict(HELD_OUT, pipeline=other))
    assert of_hook(runner).dataloader.dataset[0]['inputs'].shape == (3, 4, 4)


def test_goes_on_with_the_same_images_alone(tmp_path):
    train(tmp_path, HELD_OUT)
    longer = dict(train_cfg=dict(by_epoch=True, max_epochs=3, val_interval=1), resume=True)
    for changes in (dict(share=0.2), dict(share=0.0), dict(seed=1)):
        with pytest.raises(ValueError, match=r'the same images: the checkpoint has held_out=0.3, held_out_se'):
            train(tmp_path, HELD_OUT, **longer, **changes)
    train(tmp_path, HELD_OUT, **longer)
    assert sorted(line['step'] for line in recorded(tmp_path) if NAME in line) == [1, 2, 3]


def test_a_run_before_the_hook_was_there_goes_on_with_all_images(tmp_path):
    train(tmp_path, share=0.0)
    longer = dict(train_cfg=dict(by_epoch=True, max_epochs=3, val_interval=1), resume=True)
    with pytest.raises(ValueError, match=r'the checkpoint has held_out=0, held_out_seed=0, the config held_out=0.3'):
        train(tmp_path, HELD_OUT, **longer)
    train(tmp_path, HELD_OUT, share=0.0, **longer)


@pytest.mark.parametrize(('share', 'warns'), [(0.0, True), (0.3, False)])
def test_warns_of_weights_trained_on_what_is_held_out(tmp_path, share, warns):
    train(tmp_path / 'first', HELD_OUT, share=share)
    train(tmp_path / 'second', HELD_OUT, load_from=str(tmp_path / 'first' / 'epoch_2.pth'))
    (log,) = (tmp_path / 'second').glob('*/*.log')
    assert ('have been trained with held_out=0.0' in log.read_text()) is warns


def test_a_validation_set_of_several_parts(tmp_path):
    part = dict(type='SklearnDigits', split='test', indices=8, pipeline=PLAIN_PIPELINE)
    several = dict(type='ConcatDataset', datasets=[part, part])
    loader = dict(batch_size=16, num_workers=0, dataset=several, sampler=dict(type='DefaultSampler', shuffle=False))
    assert len(of_hook(train(tmp_path, HELD_OUT, val_dataloader=loader)).dataloader.dataset) == 12
