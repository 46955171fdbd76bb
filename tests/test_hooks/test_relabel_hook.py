# SPDX-License-Identifier: Apache-2.0
"""The second stage of TCL+ corrects labels once, where the detector is sure, and goes on with them."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmpretrain.registry import DATASETS, MODELS, TASK_UTILS
from mmpretrain.structures import DataSample
from toy_runs import NUM_TRAIN, PLAIN_PIPELINE, build_runner, classifier, hook, noisy_digits, tcl

from tcl_plugin.hooks.bad_numbers import BadNumbersError

DATA = noisy_digits(pipeline=PLAIN_PIPELINE)
NORM = classifier()['data_preprocessor']
# Sharp, as the toy's representations hardly differ.
OOD = dict(type='OODDetector', sigma=1e-3)
THRESHOLD = 0.3


def plus(**changes):
    """Config of the second stage."""
    return dict(tcl(), type='TCLPlus', data_preprocessor=dict(type='ClsDataPreprocessor', **NORM)) | changes


def build(work_dir, model=None, detector=OOD, data=DATA, threshold=THRESHOLD, **changes):
    relabel = dict(type='RelabelHook', detector=detector, threshold=threshold)
    return build_runner(work_dir, model or plus(), data, relabel, hook(dict(type='SmallLossDetector')), **changes)


@pytest.fixture(scope='module')
def first_stage(tmp_path_factory):
    """Checkpoint of a run of TCL."""
    work_dir = tmp_path_factory.mktemp('first')
    build_runner(work_dir, tcl(), noisy_digits(), hook(OOD)).train()
    return str(work_dir / 'epoch_1.pth')


@pytest.fixture(scope='module')
def finished(first_stage, tmp_path_factory):
    """A run of the second stage over one epoch: its folder and its model."""
    work_dir = tmp_path_factory.mktemp('second')
    runner = build(work_dir, load_from=first_stage)
    runner.train()
    return work_dir, runner.model


def test_labels_are_corrected_where_the_detector_is_sure(first_stage, finished):
    model = MODELS.build(plus()).eval()
    model.load_state_dict(torch.load(first_stage, weights_only=True)['state_dict'])
    dataset = DATASETS.build(DATA)
    images = torch.stack([dataset[i]['inputs'] for i in range(NUM_TRAIN)])
    given = torch.from_numpy(dataset.given_labels.copy())
    with torch.no_grad():
        feats = model.extract_feat(model.data_preprocessor(dict(inputs=images))['inputs'])
        detector = TASK_UTILS.build(OOD)
        detector.update(model.head.project(feats), model.head(feats).softmax(dim=1), given)
    local = detector.compute()
    sure = local.suggested_prob > THRESHOLD
    assert 0 < sure.sum() < NUM_TRAIN
    assert torch.equal(finished[1].labels, torch.where(sure, local.suggested_label, given))


def test_projector_stays_and_the_rest_is_trained(first_stage, finished):
    before, after = torch.load(first_stage, weights_only=True)['state_dict'], finished[1].state_dict()
    assert torch.equal(before['head.projector.0.weight'], after['head.projector.0.weight'])
    for name in ('backbone.stem.weight', 'head.classifier.0.weight'):
        assert not torch.equal(before[name], after[name]), name


def test_resumed_run_keeps_its_labels(finished, tmp_path):
    work_dir, stopped = finished
    resumed = build(tmp_path, max_epochs=2, resume=True, load_from=str(work_dir / 'epoch_1.pth'))
    resumed.train()
    # By now the network is another one, which would suggest others.
    assert torch.equal(resumed.model.labels, stopped.labels)


def test_targets(finished):
    """Corrected labels at first; later a mixture with predicted classes."""
    model = MODELS.build(plus(bootstrap_epoch=2, bootstrap_weight=0.3)).eval()
    model.set_labels(torch.arange(20) % 10)
    inputs = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    samples = [DataSample(metainfo=dict(sample_idx=i)).set_gt_label(0) for i in (3, 1, 12, 7, 0, 19)]
    labels = F.one_hot(torch.tensor([3, 1, 2, 7, 0, 9]), 10).float()
    model.head.start_epoch(1)
    assert torch.equal(model.targets(inputs, samples), labels)
    model.head.start_epoch(2)
    predicted = F.one_hot(model.head(model.extract_feat(inputs)).argmax(dim=1), 10)
    torch.testing.assert_close(model.targets(inputs, samples), 0.7 * labels + 0.3 * predicted)


@TASK_UTILS.register_module()
class Silent:
    """A detector with no opinion."""

    def reset(self):
        pass

    def update(self, features, probs, labels):
        self.scores = probs[:, 0]

    def compute(self):
        from tcl_plugin.detection.base import LocalScores

        return LocalScores(torch.linspace(0, 1, NUM_TRAIN))

    def clean_probability(self, scores, labels, num_classes):
        return np.asarray(scores)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(), 'set load_from to a checkpoint of the first stage'),
        (dict(model=tcl()), 'RelabelHook is for models that take labels, such as TCLPlus, not TCL'),
        (dict(detector=dict(type='Silent'), load_from=True), 'Silent suggests no labels'),
        (dict(train_cfg=dict(by_epoch=False, max_iters=2)), r'RelabelHook needs epochs: set train_cfg = dict'),
        (dict(resume=True, load_from=True), 'needs the corrected labels of 41 samples: the checkpoint has none'),
    ],
)
def test_refusals(arguments, message, first_stage, tmp_path):
    if arguments.get('load_from'):
        arguments = dict(arguments, load_from=first_stage)
    with pytest.raises(ValueError, match=message):
        build(tmp_path, max_epochs=2, **arguments).train()


def test_a_checkpoint_without_a_projector(first_stage, tmp_path):
    """mmengine would leave what is missing as it was drawn, and the labels be corrected by that."""
    state = torch.load(first_stage, weights_only=True)['state_dict']
    plain = {name: value for name, value in state.items() if 'projector' not in name}
    torch.save(dict(state_dict=plain), tmp_path / 'plain.pth')
    with pytest.raises(ValueError, match=r'needs a checkpoint of TCL, with a projector, .*: this one has none'):
        build(tmp_path, load_from=str(tmp_path / 'plain.pth')).train()


@pytest.mark.parametrize('value', [float('nan'), 0.0])
def test_weights_that_tell_nothing(value, first_stage, tmp_path, capsys):
    """Bad numbers stop the run, with what is needed to look at it; scores that are all equal are said."""
    checkpoint = torch.load(first_stage, weights_only=True)
    for tensor in checkpoint['state_dict'].values():
        tensor.fill_(value) if tensor.is_floating_point() else None
    torch.save(checkpoint, tmp_path / 'first.pth')
    runner = build(tmp_path, load_from=str(tmp_path / 'first.pth'))
    if value:
        with pytest.raises(BadNumbersError, match='after epoch 0, iteration 0: features of 41 training samples'):
            runner.train()
    else:
        runner.train()
        assert 'RelabelHook: right and wrong labels cannot be told apart' in capsys.readouterr().out
    assert (tmp_path / 'bad_numbers.json').exists() is bool(value)


def test_labels_of_another_training_set(finished, tmp_path):
    work_dir, _ = finished
    checkpoint = torch.load(work_dir / 'epoch_1.pth', weights_only=True)
    checkpoint['corrected_labels'] = checkpoint['corrected_labels'][:30]
    torch.save(checkpoint, tmp_path / 'other.pth')
    with pytest.raises(ValueError, match='corrected labels of 41 samples: the checkpoint has those of 30 samples'):
        build(tmp_path, max_epochs=2, resume=True, load_from=str(tmp_path / 'other.pth')).train()


def test_other_labels_are_refused(finished, tmp_path):
    """As many, but dealt out anew; checkpoints of earlier releases do not say what theirs are made from."""
    work_dir, stopped = finished
    other = DATA | dict(noise=DATA['noise'] | dict(seed=77))
    path = tmp_path / 'old.pth'
    settings = dict(data=other, max_epochs=2, resume=True)
    with pytest.raises(
        ValueError, match='the given labels are not those that the labels in its checkpoint are corrected'
    ):
        build(tmp_path, load_from=str(work_dir / 'epoch_1.pth'), **settings).train()
    checkpoint = torch.load(work_dir / 'epoch_1.pth', weights_only=True)
    del checkpoint['corrected_labels_of']
    torch.save(checkpoint, path)
    resumed = build(tmp_path, load_from=str(path), **settings)
    resumed.train()
    assert torch.equal(resumed.model.labels, stopped.labels)
    # From then on they do.
    assert torch.load(tmp_path / 'epoch_2.pth', weights_only=True)['corrected_labels_of']['given_labels']


@pytest.mark.parametrize('threshold', [1.0, THRESHOLD])
def test_no_suggestion_is_sure_enough(threshold, first_stage, tmp_path, capsys):
    runner = build(tmp_path, threshold=threshold, load_from=first_stage)
    runner.train()
    text = ' '.join(capsys.readouterr().out.split())
    none = np.array_equal(runner.model.labels, runner.train_dataloader.dataset.given_labels)
    assert none is (threshold == 1)
    assert ('RelabelHook: no suggestion exceeds threshold=1.0, the highest is' in text) is none


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(bootstrap_weight=1.5), r'bootstrap_weight must lie in \[0, 1\], got 1.5'),
        (dict(bootstrap_epoch=-1), 'bootstrap_epoch must not be negative, got -1'),
        (dict(mixup_alpha=-1.0), 'mixup_alpha must not be negative'),
        (dict(head=classifier()['head']), 'needs its head, a TCLHead, got LinearClsHead'),
    ],
)
def test_bad_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(plus(**changes))


def test_no_hook():
    model = MODELS.build(plus())
    with pytest.raises(RuntimeError, match='the hook is missing'):
        model.targets(torch.zeros(1, 3, 8, 8), [DataSample(metainfo=dict(sample_idx=0)).set_gt_label(0)])
    with pytest.raises(ValueError, match=r'labels must have shape \(N,\), got \(2, 2\)'):
        model.set_labels(torch.zeros(2, 2))
