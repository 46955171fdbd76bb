# SPDX-License-Identifier: Apache-2.0
"""The matrix of the labels reaches the loss in real runs: counted before training, or estimated after the warm-up."""

import numpy as np
import pytest
import torch
from hook_workers import estimate_transitions
from toy_runs import NUM_TRAIN, PLAIN_PIPELINE, build_runner, classifier, noisy_digits, watch

from tcl_plugin.compat import unwrap_model
from tcl_plugin.detection import transitions_from_anchors
from tcl_plugin.hooks import TransitionMatrixHook
from tcl_plugin.hooks.ordered_pass import run_pass
from tcl_plugin.hooks.pass_loader import training_pass_loader
from tcl_plugin.hooks.transition_matrix_hook import MATRIX_NAME
from tcl_plugin.transitions import count_transitions

LOSS = dict(type='ForwardCorrectionLoss', num_classes=10)
MODEL = classifier(head=dict(type='LinearClsHead', num_classes=10, in_channels=16, loss=LOSS))
DATA = noisy_digits(pipeline=PLAIN_PIPELINE)
SEEDS = dict(type='EpochSeedHook')
KEPT = 'head.loss_module.matrix'


def build(work_dir, hook, model=MODEL, data=DATA, **changes):
    return build_runner(work_dir, model, data, dict(type='TransitionMatrixHook', **hook), **changes)


def matrix_of(model):
    return model.head.loss_module.matrix.clone().cpu()


def test_counted_before_training(tmp_path):
    runner = build(tmp_path, dict(source='noise'))
    witness = watch(runner, matrix_of)
    dataset = runner.train_dataloader.dataset
    expected = count_transitions(dataset.true_labels, dataset.given_labels, 10)
    assert 0.3 < np.diag(expected).mean() < 0.8
    for known in (witness.before, *witness.iters):
        np.testing.assert_allclose(known, expected, rtol=1e-6)
    assert np.array_equal(np.load(tmp_path / MATRIX_NAME, allow_pickle=False), expected)


@pytest.fixture(scope='module')
def estimated(tmp_path_factory):
    """A run over three epochs that estimates after the second: its folder and its witness."""
    work_dir = tmp_path_factory.mktemp('anchors')
    runner = build(work_dir, dict(source='anchors', warmup_epochs=2, percentile=90), max_epochs=3)
    return work_dir, watch(runner, matrix_of)


def test_estimated_once_after_the_warmup(estimated, tmp_path):
    work_dir, witness = estimated
    assert len(witness.iters) == 9
    assert all(torch.equal(known, torch.eye(10)) for known in witness.iters[:6])
    # By the weights that the checkpoint of the second epoch holds.
    runner = build(tmp_path, dict(source='noise'), load_from=str(work_dir / 'epoch_2.pth'))
    runner.load_or_resume()
    model, loader = unwrap_model(runner.model), training_pass_loader(runner, None, None, None)
    probs = torch.cat([batch.probs for batch in run_pass(model, loader)]).cpu().numpy()
    assert probs.shape == (NUM_TRAIN, 10)
    expected = transitions_from_anchors(probs, 90)
    for known in witness.iters[6:]:
        np.testing.assert_allclose(known, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(np.load(work_dir / MATRIX_NAME, allow_pickle=False), expected, rtol=1e-5, atol=1e-7)


def test_resumed_run_has_the_matrix_of_its_checkpoint(estimated, tmp_path):
    work_dir, witness = estimated
    assert torch.equal(torch.load(work_dir / 'epoch_2.pth', weights_only=True)['state_dict'][KEPT], witness.iters[6])
    resumed = build(
        tmp_path,
        dict(source='anchors', warmup_epochs=2, percentile=90),
        max_epochs=3,
        resume=True,
        load_from=str(work_dir / 'epoch_2.pth'),
    )
    again = watch(resumed, matrix_of)
    assert len(again.iters) == 3 and all(torch.equal(known, witness.iters[6]) for known in again.iters)


def test_a_run_resumed_after_the_estimate_needs_one(tmp_path):
    """Such as plain training that goes on with another loss."""
    build_runner(tmp_path, classifier(), DATA, max_epochs=2).train()
    hook = dict(source='anchors', warmup_epochs=2)
    with pytest.raises(ValueError, match=r'resumed after epoch 2, and its checkpoint has no matrix, .*=2: begin anew'):
        build(tmp_path, hook, resume=True, max_epochs=4).train()


def test_weights_to_start_from_bring_no_matrix_along(estimated, tmp_path):
    work_dir, _ = estimated
    settings = dict(source='anchors', warmup_epochs=1, percentile=90)
    runner = build(tmp_path, settings, max_epochs=2, load_from=str(work_dir / 'epoch_3.pth'))
    assert all(torch.equal(known, torch.eye(10)) for known in watch(runner, matrix_of).iters[:3])


def test_a_longer_warmup_after_the_estimate(estimated, tmp_path):
    """It would be none: the matrix is there already."""
    settings = dict(source='anchors', warmup_epochs=4)
    runner = build(tmp_path, settings, max_epochs=5, resume=True, load_from=str(estimated[0] / 'epoch_3.pth'))
    with pytest.raises(ValueError, match=r'after epoch 3, and its checkpoint has a matrix already, .*=4: begin anew'):
        runner.train()


def test_a_warmup_that_is_resumed(estimated, tmp_path):
    settings = dict(source='anchors', warmup_epochs=2, percentile=90)
    resumed = build(tmp_path, settings, max_epochs=3, resume=True, load_from=str(estimated[0] / 'epoch_1.pth'))
    again = watch(resumed, matrix_of)
    assert all(torch.equal(known, torch.eye(10)) for known in again.iters[:3])
    assert not torch.equal(again.iters[3], torch.eye(10))


@pytest.mark.parametrize('strange', [False, True])
def test_rows_that_belong_to_other_classes(strange, tmp_path, monkeypatch, capsys):
    """A warning names them. A class that no sample has as its label keeps it, whatever is predicted."""
    swap = np.eye(10)
    swap[4] = swap[5]
    data = DATA | dict(noise=dict(type='TransitionMatrixNoise', matrix=swap.tolist()))
    probs = np.full((NUM_TRAIN, 10), 0.01)
    probs[np.arange(NUM_TRAIN), np.arange(NUM_TRAIN) % 10] = 0.91
    if strange:
        probs[:, [2, 7]] = probs[:, [7, 7]]
        probs[:, 2] -= 0.001
    monkeypatch.setattr('tcl_plugin.hooks.transition_matrix_hook._predict', lambda *_: probs)
    runner = build(tmp_path, dict(source='anchors', warmup_epochs=1, percentile=None), data=data, max_epochs=2)
    assert set(runner.train_dataloader.dataset.given_labels) == {0, 1, 2, 3, 5, 6, 7, 8, 9}
    found = watch(runner, matrix_of).iters[-1]
    assert torch.equal(found[4], torch.eye(10)[4])
    assert found.argmax(dim=1).tolist() == [0, 1, 7 if strange else 2, *range(3, 10)]
    text = ' '.join(capsys.readouterr().out.split())
    least = f'The given label is right least often in class 2, with probability {float(found[2, 2]):.4f}'
    warning = f'more often than their own: 2 (of 7). {least}'
    assert (warning in text) is strange and ('by the estimate' in text) is strange


def given(matrix):
    return classifier(head=dict(MODEL['head'], loss=dict(LOSS, matrix=matrix)))


def test_a_given_matrix_after_a_warmup_of_its_own(estimated, tmp_path):
    """As in the paper: train, estimate, train with the estimate; and that run is resumed as it was."""
    matrix = str(estimated[0] / MATRIX_NAME)
    known = torch.from_numpy(np.load(matrix)).float()
    first, half = estimated[0] / 'epoch_1.pth', tmp_path / 'whole' / 'epoch_1.pth'
    whole = build_runner(tmp_path / 'whole', given(matrix), DATA, SEEDS, max_epochs=2, load_from=str(first))
    assert all(torch.equal(one, known) for one in watch(whole, matrix_of).iters)
    again = dict(max_epochs=2, resume=True, load_from=str(half))
    resumed = build_runner(tmp_path / 'resumed', given(matrix), DATA, SEEDS, **again)
    resumed.train()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[name], value), name


def test_two_processes_equal_one(two_processes, tmp_path):
    """From the predictions of both; and both have the same matrix."""
    shares = two_processes(estimate_transitions, str(tmp_path))
    for matrix, expected in shares:
        np.testing.assert_array_equal(matrix, shares[0][0])
        np.testing.assert_allclose(matrix, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ('hook', 'reason'),
    [
        (dict(source='truth'), "source must be 'noise' or 'anchors', got 'truth'"),
        (dict(source='anchors'), 'needs warmup_epochs of 1 or more, got None'),
        (dict(source='noise', warmup_epochs=1), "source='noise' counts before training: leave warmup_epochs out"),
        (
            dict(source='anchors', warmup_epochs=1, percentile=150),
            r'percentile must be None or lie in \[0, 100\], got 1',
        ),
    ],
)
def test_bad_arguments(hook, reason):
    with pytest.raises(ValueError, match=reason):
        TransitionMatrixHook(**hook)


@pytest.mark.parametrize(
    ('hook', 'changes', 'reason'),
    [
        (dict(source='noise'), dict(model=classifier()), 'whose loss takes a matrix, .* got CrossEntropyLoss'),
        (
            dict(source='noise'),
            dict(model=given(np.eye(10).tolist())),
            "'matrix' of the loss gives: leave one of them out",
        ),
        (dict(source='noise'), dict(data=DATA | dict(noise=None)), r"needs true labels: .*source='anchors' does"),
        (
            dict(source='anchors', warmup_epochs=1),
            dict(data=DATA['dataset']),
            'outermost dataset .*, got SklearnDigits',
        ),
        (dict(source='anchors', warmup_epochs=1), {}, 'warmup_epochs=1 .* leaves nothing of the 1 epochs'),
        (
            dict(source='anchors', warmup_epochs=1),
            dict(train_cfg=dict(by_epoch=False, max_iters=2)),
            r'needs epochs: set train_cfg = dict\(by_epoch=True',
        ),
        (
            dict(source='anchors', warmup_epochs=1),
            dict(max_epochs=2, val_dataloader=None, val_evaluator=None, val_cfg=None),
            'a pass over the training set needs the pipeline of',
        ),
    ],
)
def test_refusals(hook, changes, reason, tmp_path):
    """Before the first step."""
    runner = build(tmp_path, hook, **changes)
    with pytest.raises(ValueError, match=reason):
        runner.train()
    assert runner.iter == 0
