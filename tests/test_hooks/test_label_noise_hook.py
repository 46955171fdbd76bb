# SPDX-License-Identifier: Apache-2.0
"""The hook in real runs: when it looks, what it hands back and writes down, and that it disturbs nothing."""

import json
import re

import numpy as np
import pytest
import torch
from data_builders import build_image_folder
from hook_workers import agree, train
from mmengine.config import Config
from terminals import Terminal
from toy_runs import (
    CROP,
    EMA,
    NUM_TRAIN,
    OOD,
    PLAIN_PIPELINE,
    build_runner,
    classifier,
    clean_prob_of,
    hook,
    noisy_digits,
    recorded,
    tcl,
    watch,
)

from tcl_plugin.compat import unwrap_model
from tcl_plugin.datasets.leaves import leaf_configs
from tcl_plugin.detection import estimate_transition
from tcl_plugin.evaluation import TABLE_NAME, detection_metrics, fitted_share, read_label_table
from tcl_plugin.hooks import LabelNoiseHook, prob_export
from tcl_plugin.hooks.ordered_pass import PassBatch
from tcl_plugin.hooks.pass_loader import pipeline_of_loader
from tcl_plugin.hooks.prob_export import LABELS_NAME, PROBS_NAME, ProbExport

ONE_VIEW = [CROP, dict(type='PackInputs')]


def logged(work_dir):
    """The hook's scalars in all records of a work directory, by number of epochs."""
    found = {}
    for path in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in map(json.loads, path.read_text().splitlines()):
            values = {name.split('/')[1]: value for name, value in line.items() if name.startswith('label_noise/')}
            if values:
                found[line['step']] = values
    return found


@pytest.mark.usefixtures('terminal')
def test_a_terminal_shows_progress_between_the_lines_of_the_log(tmp_path):
    with Terminal('stdout', 'stderr') as both:
        build_runner(tmp_path, tcl(), noisy_digits(), hook(), log_level='INFO').train()
    assert 'labels after epoch 1' in both.seen and '2/3' in both.seen and re.search(r'\d:\d\d:\d\d left', both.seen)
    # Every line of the log is on the screen as it is in its file, which has the year before it.
    (log,) = tmp_path.glob('*/*.log')
    lines = [line for line in log.read_text().splitlines() if 'LabelNoiseHook: epoch' in line or 'Epoch(' in line]
    assert len(lines) == 4 and {line.partition('/')[2] for line in lines} <= set(both.screen)
    assert 'left' not in ''.join(both.screen) and 'left' not in log.read_text()


@pytest.fixture(scope='module', params=['plain', 'ema'])
def finished(request, tmp_path_factory):
    """A run of TCL over three epochs that looks every second, its witness and its hooks."""
    work_dir = tmp_path_factory.mktemp(request.param)
    hooks = [hook(interval=2), *([EMA] if request.param == 'ema' else [])]
    runner = build_runner(work_dir, tcl(warmup_epochs=2), noisy_digits(), *hooks, max_epochs=3)
    return runner, watch(runner, lambda model: (clean_prob_of(model), model.head.epoch)), work_dir, hooks


def test_looks_before_training_at_the_interval_and_at_the_end(finished):
    runner, witness, work_dir, _ = finished
    assert sorted(logged(work_dir)) == [0, 2, 3]
    before, steps = witness.before[0], witness.iters
    assert before.shape == (NUM_TRAIN,) and (before >= 0).all() and (before <= 1).all()
    assert [epoch for _, epoch in steps] == [0] * 3 + [1] * 3 + [2] * 3
    assert all(torch.equal(known, before) for known, _ in steps[:6])
    assert all(torch.equal(known, steps[6][0]) for known, _ in steps[7:])
    last = clean_prob_of(unwrap_model(runner.model))
    assert len({tuple(known.tolist()) for known in (before, steps[6][0], last)}) == 3


def test_table_says_what_the_head_knows(finished):
    runner, _, work_dir, _ = finished
    table, dataset = read_label_table(work_dir / TABLE_NAME), runner.train_dataloader.dataset
    assert table.sample_idx.tolist() == list(range(NUM_TRAIN))
    assert table.given_label.tolist() == dataset.given_labels.tolist()
    assert table.true_label.tolist() == dataset.true_labels.tolist()
    assert table.img_path is None
    np.testing.assert_allclose(table.clean_prob, clean_prob_of(unwrap_model(runner.model)), rtol=1e-4, atol=1e-30)
    assert (table.is_label_issue == (table.label_quality < 0.5)).all() and table.is_label_issue.any()
    assert table.given_class.tolist() == [str(label) for label in table.given_label]
    assert table.suggested_class.tolist() == [str(label) for label in table.suggested_label]
    assert not list(work_dir.glob('*.tmp')) and not list(work_dir.glob('*.npy'))


def test_table_says_what_the_network_sees(finished):
    """Scores and predictions put together from outputs for the whole training set at once."""
    runner, _, work_dir, _ = finished
    table, model = read_label_table(work_dir / TABLE_NAME), unwrap_model(runner.model).eval()
    dataset = runner.train_dataloader.dataset.with_pipeline(PLAIN_PIPELINE)
    with torch.no_grad():
        images = torch.stack([item['inputs'] for item in dataset])
        feats = model.extract_feat(model.data_preprocessor(dict(inputs=images))['inputs'])
        probs, projections = model.head(feats).softmax(dim=1).cpu(), model.head.project(feats).cpu()
    prob, label = probs.max(dim=1)
    assert table.predicted_label.tolist() == label.tolist()
    np.testing.assert_allclose(table.predicted_prob, prob, rtol=1e-4)
    means = torch.nn.functional.normalize(probs.t() @ projections, dim=1)
    torch.testing.assert_close(model.head.prototypes.cpu(), means, rtol=1e-4, atol=1e-5)
    posterior = (projections @ means.t() / 0.25).softmax(dim=1)
    scores = posterior[torch.arange(NUM_TRAIN), torch.tensor(dataset.given_labels)]
    # The detector keeps representations in half precision.
    np.testing.assert_allclose(table.score, scores, rtol=0, atol=1e-3)
    given = torch.tensor(dataset.given_labels)
    joint = probs.t().double() @ torch.nn.functional.one_hot(given, 10).double()
    judged = probs * estimate_transition(joint)[:, given].t().float()
    judged /= judged.sum(dim=1, keepdim=True)
    np.testing.assert_allclose(table.label_quality, judged[torch.arange(NUM_TRAIN), given], rtol=0, atol=1e-3)
    # Half precision may choose the other of two classes that are as likely.
    suggested = judged[torch.arange(NUM_TRAIN), torch.tensor(table.suggested_label)]
    np.testing.assert_allclose(suggested, judged.max(dim=1).values, rtol=0, atol=1e-3)
    np.testing.assert_allclose(table.suggested_prob, suggested, rtol=0, atol=1e-3)


def test_scalars_are_those_of_the_table(finished):
    _, _, work_dir, _ = finished
    table, scalars = read_label_table(work_dir / TABLE_NAME), logged(work_dir)[3]
    expected = detection_metrics(table.clean_prob, table.score, table.given_label, table.true_label)
    expected['estimated_noise_rate'] = (table.clean_prob <= 0.5).mean()
    expected['noise_rate'] = (table.given_label != table.true_label).mean()
    expected['wrong_labels_fitted'] = fitted_share(table.predicted_label, table.given_label, table.true_label)
    # The table has six digits, in which two values may be the same.
    assert scalars == pytest.approx(expected, abs=2e-3)


def test_images_of_no_class(tmp_path):
    """Whatever reads the true labels copes with -1."""
    other = dict(type='SklearnDigits', split='test', indices=NUM_TRAIN)
    dataset = noisy_digits() | dict(open_set=dict(type='OpenSetNoise', rate=0.25, dataset=other))
    runner = build_runner(tmp_path, tcl(), dataset, hook())
    runner.train()
    table, scalars = read_label_table(tmp_path / TABLE_NAME), logged(tmp_path)[1]
    wrong = table.given_label != table.true_label
    assert (table.true_label == -1).sum() == 10 and wrong[table.true_label == -1].all()
    assert scalars['noise_rate'] == runner.train_dataloader.dataset.noise_rate == wrong.mean() > 0.5
    assert scalars['recall'] == (table.clean_prob <= 0.5)[wrong].mean()
    assert scalars['wrong_labels_fitted'] == (table.predicted_label == table.given_label)[wrong].mean()


def test_checkpoint_holds_prototypes_but_no_row_for_a_sample(finished):
    runner, _, work_dir, hooks = finished
    checkpoint = torch.load(work_dir / 'epoch_3.pth', weights_only=True, map_location='cpu')
    # EMAHook swaps the averaged model into its place
    key, name = ('ema_state_dict', 'module.head.prototypes') if EMA in hooks else ('state_dict', 'head.prototypes')
    assert torch.equal(checkpoint[key][name], unwrap_model(runner.model).head.prototypes.cpu())
    assert not [name for name, value in checkpoint['state_dict'].items() if NUM_TRAIN in value.shape]


def test_resumed_run_knows_what_the_stopped_one_knew(finished, tmp_path):
    runner, _, work_dir, hooks = finished
    resumed = build_runner(
        tmp_path, tcl(), noisy_digits(), *hooks, max_epochs=4, resume=True, load_from=str(work_dir / 'epoch_3.pth')
    )
    witness = watch(resumed, clean_prob_of)
    assert torch.equal(witness.before, clean_prob_of(unwrap_model(runner.model)))
    # It makes no pass of its own.
    assert sorted(logged(tmp_path)) == [4] and len(witness.iters) == 3


@pytest.mark.parametrize('finished', ['plain'], indirect=True)
def test_clean_probabilities_of_other_labels_are_found_out_anew(finished, tmp_path, capsys):
    _, _, work_dir, _ = finished
    others = noisy_digits()
    others['noise']['seed'] = 1
    resumed = build_runner(
        tmp_path, tcl(), others, hook(), max_epochs=3, resume=True, load_from=str(work_dir / 'epoch_3.pth')
    )
    resumed.train()
    assert sorted(logged(tmp_path)) == [3]
    assert 'the given labels are not those of the checkpoint' in capsys.readouterr().out


def test_clean_probabilities_of_other_images_are_found_out_anew(tmp_path, capsys):
    """Open-set noise leaves all given labels as they are, whichever images it puts in."""

    def train(name, seed, epochs, **changes):
        others = dict(type='SklearnDigits', split='test', serialize_data=False)
        data = noisy_digits() | dict(open_set=dict(type='OpenSetNoise', rate=0.3, dataset=others, seed=seed))
        build_runner(tmp_path / name, tcl(), data, hook(), max_epochs=epochs, **changes).train()
        return 'the images of open_set are not those of the checkpoint' in capsys.readouterr().out

    last = tmp_path / 'first' / 'epoch_1.pth'
    assert not train('first', 0, 1)
    for seed in (0, 1):
        assert train(f'seed {seed}', seed, 2, resume=True, load_from=str(last)) == bool(seed)
    # An earlier release has not written down which they were.
    checkpoint = torch.load(last, weights_only=True)
    del checkpoint['label_quality']['replaced_images']
    torch.save(checkpoint, last)
    assert not train('old', 1, 2, resume=True, load_from=str(last))


@pytest.mark.parametrize('size', [30, NUM_TRAIN])
def test_weights_alone_load_for_any_number_of_samples(finished, tmp_path, size):
    """A run that begins with them finds out for itself what it knows of the labels, be they the same."""
    _, _, work_dir, _ = finished
    other = build_runner(tmp_path, tcl(), noisy_digits(size), hook(), load_from=str(work_dir / 'epoch_3.pth'))
    witness = watch(other, clean_prob_of)
    assert witness.before.shape == (size,) and sorted(logged(tmp_path)) == [0, 1]


@pytest.mark.parametrize('detector', [None, OOD], ids=['none', 'ood'])
def test_plain_classifier(tmp_path, detector):
    """Without a detector memorisation is watched, and no label is called wrong."""
    watch(build_runner(tmp_path, classifier(), noisy_digits(pipeline=ONE_VIEW), hook(detector)), lambda model: None)
    (scalars,) = logged(tmp_path).values()
    measured = {'noise_rate', 'wrong_labels_fitted'}
    detected = {'estimated_noise_rate', 'auc', 'score_auc', 'precision', 'recall'}
    assert set(scalars) == (measured | detected if detector else measured)
    assert (tmp_path / TABLE_NAME).exists() == (detector is not None)


def test_passes_do_not_change_training(tmp_path):
    """A run that looks every epoch, and one that looks at the end only, draw the same numbers and learn the same."""

    def look(model):
        return (
            torch.get_rng_state().tolist(),
            np.random.get_state()[1:3],
            torch.cat([parameter.detach().flatten() for parameter in model.parameters()]).cpu(),
        )

    runs = []
    for number, detecting in enumerate([hook(OOD, interval=1), hook(None, interval=9)]):
        work_dir = tmp_path / str(number)
        runner = build_runner(work_dir, classifier(), noisy_digits(pipeline=ONE_VIEW), detecting, max_epochs=3)
        runs.append(watch(runner, look).iters)
        assert len(logged(work_dir)) == (3, 1)[number]
    assert len(runs[0]) == 9
    for one, other in zip(*runs, strict=True):
        assert one[0] == other[0]
        assert (one[1][0] == other[1][0]).all() and one[1][1] == other[1][1]
        assert torch.equal(one[2], other[2])


def test_images_in_files_and_unknown_truth(tmp_path):
    """The table names the files; what needs true labels is left out."""
    folder = build_image_folder(tmp_path / 'images', num_classes=3, images_per_class=6, size=8)
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs', meta_keys=('img_path',))]
    dataset = dict(type='CustomDataset', data_prefix=str(folder), pipeline=[pipeline[0], dict(type='PackInputs')])
    runner = build_runner(
        tmp_path / 'run',
        classifier(head=dict(type='LinearClsHead', num_classes=3, in_channels=16)),
        dict(type='NoisyLabelDataset', dataset=dataset),
        hook(pipeline=pipeline, batch_size=5, num_workers=0),
        val_dataloader=None,
        val_cfg=None,
        val_evaluator=None,
    )
    runner.train()
    table = read_label_table(tmp_path / 'run' / TABLE_NAME)
    assert table.true_label is None
    assert [path.rsplit('/')[-2] for path in table.img_path] == [f'class_{label}' for label in table.given_label]
    assert all((folder / path).exists() for path in table.img_path)
    (scalars,) = logged(tmp_path / 'run').values()
    assert set(scalars) == {'estimated_noise_rate'}


@pytest.mark.parametrize('sigma', [0.25, 'estimated'])
def test_two_processes_equal_one(two_processes, tmp_path, sigma):
    """With an odd number of samples, and under DDP; all processes are told the same."""
    detector = dict(type='OODDetector', sigma=sigma)
    alone, _, _ = train(0, str(tmp_path / 'one'), detector, launcher='none')
    shares = two_processes(train, str(tmp_path / 'two'), detector)
    assert alone[0].shape == (NUM_TRAIN,)
    for before, after, distributed in shares:
        assert distributed
        for found, expected in zip(before, alone, strict=True):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
        for found, first in zip(after, shares[0][1], strict=True):
            np.testing.assert_array_equal(found, first)
    table = read_label_table(tmp_path / 'two' / TABLE_NAME)
    np.testing.assert_allclose(table.clean_prob, shares[0][1][0], rtol=1e-4, atol=1e-30)
    assert sorted(logged(tmp_path / 'two')) == [0, 1]
    probs, labels = (np.load(tmp_path / 'two' / name, allow_pickle=False) for name in (PROBS_NAME, LABELS_NAME))
    assert probs.shape == (NUM_TRAIN, 10) and probs.dtype == np.float32 and labels.dtype == np.int64
    assert probs.argmax(axis=1).tolist() == table.predicted_label.tolist()
    np.testing.assert_allclose(probs.max(axis=1), table.predicted_prob, rtol=1e-4)
    assert labels.tolist() == table.given_label.tolist()
    assert not list((tmp_path / 'two').glob('*.tmp'))


def test_processes_that_round_differently_agree(two_processes):
    """All take over what the main process has found."""
    for found in two_processes(agree):
        assert found.tolist() == [0.25, 0.25, 0.75, 0.75]


def test_predictions_are_put_together_in_pieces(tmp_path, monkeypatch):
    """Whatever the order of the batches, and where N is no multiple of a piece."""
    monkeypatch.setattr(prob_export, 'VALUES_AT_ONCE', 7)
    probs, given = torch.rand(5, 3), np.array([2, 1, 0, 1, 2])
    batches = [
        PassBatch(torch.tensor(rows), torch.zeros(len(rows), 2), probs[rows], torch.tensor(given[rows]))
        for rows in ([4, 0, 2], [3, 1])
    ]
    export = ProbExport()
    assert list(export.watch(batches)) == batches
    export.write(tmp_path, given, 3)
    assert np.load(tmp_path / PROBS_NAME, allow_pickle=False).tolist() == probs.tolist()
    assert np.load(tmp_path / LABELS_NAME, allow_pickle=False).tolist() == given.tolist()


def test_pipeline_is_found_under_wrappers():
    inner = dict(type='SklearnDigits', pipeline=PLAIN_PIPELINE)
    wrapped = dict(dataset=dict(type='NoisyLabelDataset', dataset=dict(type='RepeatDataset', dataset=inner)))
    assert pipeline_of_loader(Config(wrapped)) == PLAIN_PIPELINE
    assert pipeline_of_loader({}) is None


def test_all_configs_at_the_bottom_are_found():
    """A wrapper with a pipeline of its own is where the search for one ends."""
    one, other, third = (
        dict(type='A', pipeline=[]),
        dict(type='B'),
        dict(type='C', pipeline=[1], dataset=dict(type='D')),
    )
    inner = dict(type='RepeatDataset', dataset=dict(type='ConcatDataset', datasets=[one, other]))
    assert list(leaf_configs(dict(type='ConcatDataset', datasets=[inner, third]))) == [one, other, third]


def test_bad_interval():
    with pytest.raises(ValueError, match='interval must be 1 or more, got 0'):
        LabelNoiseHook(interval=0)


def test_looks_again_when_the_warmup_ends(tmp_path):
    """Whatever the interval: from then on the head leans on what a pass has found."""
    runner = build_runner(tmp_path, tcl(warmup_epochs=2), noisy_digits(), hook(OOD, interval=5), max_epochs=4)
    runner.train()
    assert sorted({line['step'] for line in recorded(tmp_path) if 'label_noise/auc' in line}) == [0, 2, 4]
