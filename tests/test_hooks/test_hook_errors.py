# SPDX-License-Identifier: Apache-2.0
"""Every mistake that the hook can see has its own message, and costs nothing that was there before."""

import pytest
import torch
from mmengine.hooks import Hook
from toy_runs import CROP, THREE_VIEWS, build_runner, classifier, hook, noisy_digits, tcl

from tcl_plugin.compat import unwrap_model
from tcl_plugin.evaluation import TABLE_NAME

OLD_TABLE = 'from an earlier run\n'
NO_VALIDATION = dict(val_dataloader=None, val_cfg=None, val_evaluator=None)
BY_ITERATION = dict(train_cfg=dict(by_epoch=False, max_iters=2))


class Overwrite(Hook):
    """Give all weights one value before the hook looks."""

    priority = 'VERY_HIGH'

    def __init__(self, value):
        self.value = value

    def before_train(self, runner):
        for parameter in unwrap_model(runner.model).parameters():
            torch.nn.init.constant_(parameter, self.value)


def refuse(work_dir, reason, *args, weights=None, error=ValueError, **changes):
    """Train, and be refused; a table of an earlier run stays as it was."""
    work_dir.joinpath(TABLE_NAME).write_text(OLD_TABLE)
    runner = build_runner(work_dir, *args, **changes)
    if weights is not None:
        runner.register_hook(Overwrite(weights))
    with pytest.raises(error, match=reason):
        runner.train()
    assert work_dir.joinpath(TABLE_NAME).read_text() == OLD_TABLE
    assert not list(work_dir.glob('*.tmp'))


def test_no_hook(tmp_path):
    refuse(tmp_path, 'the hook is missing', tcl(), noisy_digits(), error=RuntimeError)


def test_no_detector(tmp_path):
    refuse(tmp_path, "TCLHead needs a detector: .*'OODDetector'", tcl(), noisy_digits(), hook(None))


def test_samples_without_index(tmp_path):
    keep_nothing = dict(type='PackInputs', meta_keys=())
    dataset = noisy_digits(pipeline=[*THREE_VIEWS[:-1], keep_nothing])
    # The first look at the labels sees to its own indices, and has left its table.
    with pytest.raises(ValueError, match=r'no sample_idx: let PackInputs .* keep it in meta_keys'):
        build_runner(tmp_path, tcl(), dataset, hook()).train()


def test_dataset_without_given_labels(tmp_path):
    digits = noisy_digits()['dataset']
    refuse(tmp_path, 'needs a NoisyLabelDataset .* got SklearnDigits', tcl(), digits, hook())
    repeated = dict(type='RepeatDataset', times=2, dataset=noisy_digits())
    refuse(tmp_path, 'outermost dataset .* got RepeatDataset', tcl(), repeated, hook())


def test_numbers_of_classes_differ(tmp_path):
    reason = r'the head predicts 7 classes, but the training set has 10: set model\.head\.num_classes=10'
    refuse(tmp_path, reason, tcl(num_classes=7), noisy_digits(), hook())


def test_model_without_a_head(tmp_path):
    refuse(tmp_path, 'needs a classifier with a head', classifier(head=None), noisy_digits(), hook())


def test_iterations_instead_of_epochs(tmp_path):
    refuse(
        tmp_path, r'needs epochs: set train_cfg = dict\(by_epoch=True', tcl(), noisy_digits(), hook(), **BY_ITERATION
    )


def test_no_pipeline(tmp_path):
    reason = 'needs the pipeline of val_dataloader or test_dataloader, or one of its own'
    refuse(tmp_path, reason, tcl(), noisy_digits(), hook(), **NO_VALIDATION)


@pytest.mark.parametrize('model', [tcl(), classifier()], ids=['tcl', 'linear'])
def test_diverged_training(tmp_path, model):
    """Found by the hook without a detector, too; one that hands nothing back looks after the first epoch."""
    reason = r'features of \d+ training samples are NaN or infinite, the first of sample 0: .*diverged'
    dataset = noisy_digits(pipeline=[CROP, dict(type='PackInputs')]) if model['type'] != 'TCL' else noisy_digits()
    detector = None if model['type'] != 'TCL' else dict(type='OODDetector')
    refuse(tmp_path, reason, model, dataset, hook(detector), weights=float('nan'))


def test_two_views(tmp_path):
    views = dict(type='MultiView', num_views=[1, 1], transforms=[[CROP], [CROP]])
    dataset = noisy_digits(pipeline=[views, dict(type='PackInputs')])
    # The first look at the labels went well, and has left its table.
    with pytest.raises(ValueError, match=r'TCL trains on three views of each image.*got 2 views'):
        build_runner(tmp_path, tcl(), dataset, hook()).train()


def test_other_training_set_behind_the_hook(tmp_path):
    """A sample that the hook has not seen is named."""

    class Shorten(Hook):
        def before_train(self, runner):
            head = unwrap_model(runner.model).head
            head.set_clean_prob(head.clean_prob[:1])

    runner = build_runner(tmp_path, tcl(), noisy_digits(), hook())
    runner.register_hook(Shorten(), priority='LOW')
    with pytest.raises(ValueError, match=r'sample_idx \d+ lies outside the 1 samples that LabelNoiseHook has seen'):
        runner.train()


def test_detector_without_prototypes(tmp_path):
    """Zeros in their place would make the alignment a constant, without a word."""
    words = 'BetaMixtureDetector finds no prototypes, which TCLHead aligns mixed images with: .*align_proto_weight=0'
    refuse(tmp_path, words, tcl(), noisy_digits(), hook(dict(type='BetaMixtureDetector')))
    build_runner(tmp_path, tcl(align_proto_weight=0.0), noisy_digits(), hook(dict(type='BetaMixtureDetector'))).train()
