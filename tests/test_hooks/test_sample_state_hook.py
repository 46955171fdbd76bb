# SPDX-License-Identifier: Apache-2.0
"""What a head remembers of samples survives a stop, stays out of the weights, and is the same on all processes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hook_workers import train_elr
from toy_runs import EMA, NUM_TRAIN, PLAIN_PIPELINE, build_runner, classifier, elr, noisy_digits

from tcl_plugin.compat import unwrap_model
from tcl_plugin.hooks import SampleStateHook

STATE = dict(type='SampleStateHook')
DATA = noisy_digits(pipeline=PLAIN_PIPELINE)


def build(work_dir, *hooks, model=None, data=DATA, **changes):
    return build_runner(work_dir, model or elr(), data, *(hooks or [STATE]), **changes)


def train(*args, **changes):
    runner = build(*args, **changes)
    runner.train()
    return unwrap_model(runner.model)


@pytest.fixture(scope='module', params=['plain', 'ema'])
def stopped(request, tmp_path_factory):
    """A run over one epoch: its folder, its hooks and its model."""
    work_dir, hooks = tmp_path_factory.mktemp(request.param), [STATE, *([EMA] if request.param == 'ema' else [])]
    return work_dir, hooks, train(work_dir, *hooks)


def test_resumed_run_equals_an_uninterrupted_one(stopped, tmp_path):
    work_dir, hooks, _ = stopped
    whole = train(tmp_path / 'whole', *hooks, max_epochs=2)
    resumed = train(tmp_path / 'rest', *hooks, max_epochs=2, resume=True, load_from=str(work_dir / 'epoch_1.pth'))
    assert torch.equal(resumed.head.sample_state, whole.head.sample_state)
    for name, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value), name


def test_table_is_beside_the_weights(stopped):
    work_dir, _, model = stopped
    checkpoint = torch.load(work_dir / 'epoch_1.pth', weights_only=True)
    table = checkpoint['sample_state']
    assert table.shape == (NUM_TRAIN, 10) and torch.equal(table, model.head.sample_state.cpu())
    # beta = 0.7, and every sample has been met once
    torch.testing.assert_close(table.sum(dim=1), torch.full((NUM_TRAIN,), 0.3))
    for key in ('state_dict', 'ema_state_dict'):
        assert not [name for name, value in checkpoint.get(key, {}).items() if NUM_TRAIN in value.shape]


def test_a_checkpoint_has_a_table_of_its_own():
    """It may be written while training goes on."""
    head, checkpoint = SimpleNamespace(sample_state=torch.zeros(3, 2)), {}
    SampleStateHook().before_save_checkpoint(SimpleNamespace(model=SimpleNamespace(head=head)), checkpoint)
    head.sample_state.fill_(1)
    assert not checkpoint['sample_state'].any()


def test_weights_alone_load_for_another_number_of_samples(stopped, tmp_path):
    """The new run begins with an empty table of its own size."""
    work_dir, _, _ = stopped
    model = train(tmp_path, data=noisy_digits(30, PLAIN_PIPELINE), load_from=str(work_dir / 'epoch_1.pth'))
    assert model.head.sample_state.shape == (30, 10)
    torch.testing.assert_close(model.head.sample_state.sum(dim=1).cpu(), torch.full((30,), 0.3))


def test_two_processes_share_their_rows(two_processes, tmp_path):
    """41 samples for two: one is dealt to both, and gets the mean."""
    shares = two_processes(train_elr, str(tmp_path))
    met = {}
    for steps, _ in shares:
        for rows, averages in steps:
            for row, average in zip(rows.tolist(), averages, strict=True):
                met.setdefault(row, []).append(average)
    assert sorted(met) == list(range(NUM_TRAIN)) and sorted(map(len, met.values()))[-2:] == [1, 2]
    expected = np.stack([np.mean(met[row], axis=0) for row in range(NUM_TRAIN)])
    for _, table in shares:
        np.testing.assert_allclose(table, expected, rtol=1e-6)
        np.testing.assert_array_equal(table, shares[0][1])
    assert torch.load(tmp_path / 'epoch_1.pth', weights_only=True)['sample_state'].numpy().tolist() == table.tolist()


@pytest.mark.parametrize('stopped', ['plain'], indirect=True)
def test_refusals(stopped, tmp_path):
    work_dir, _, _ = stopped
    resumed = dict(resume=True, max_epochs=2)
    with pytest.raises(ValueError, match='heads that remember samples, such as ELRHead, not for LinearClsHead'):
        train(tmp_path, model=classifier())
    with pytest.raises(ValueError, match=r'needs epochs: set train_cfg = dict\(by_epoch=True'):
        train(tmp_path, train_cfg=dict(by_epoch=False, max_iters=2))
    with pytest.raises(ValueError, match=r'must have shape \(30, 10\), for 30 samples .* got \(41, 10\)'):
        train(tmp_path, data=noisy_digits(30, PLAIN_PIPELINE), load_from=str(work_dir / 'epoch_1.pth'), **resumed)
    checkpoint = torch.load(work_dir / 'epoch_1.pth', weights_only=True)
    del checkpoint['sample_state']
    torch.save(checkpoint, tmp_path / 'without.pth')
    with pytest.raises(ValueError, match='the checkpoint has no sample_state'):
        train(tmp_path, load_from=str(tmp_path / 'without.pth'), **resumed)
    with pytest.raises(RuntimeError, match=r"hook is missing.*dict\(type='SampleStateHook'\)"):
        train(tmp_path, EMA)
