# SPDX-License-Identifier: Apache-2.0
"""M-correction in real runs: the hook tells it which labels to trust, after a resumption too."""

import json

import numpy as np
import torch
from toy_runs import PLAIN_PIPELINE, build_runner, clean_prob_of, hook, m_correction, noisy_digits, watch

from tcl_plugin.compat import unwrap_model
from tcl_plugin.evaluation import read_label_table

BETAS = dict(type='BetaMixtureDetector')
DATA = noisy_digits(pipeline=PLAIN_PIPELINE)


def test_a_run_and_its_resumption(tmp_path):
    runner = build_runner(tmp_path / 'first', m_correction(), DATA, hook(BETAS), max_epochs=2)
    witness = watch(runner, lambda model: (model.head.in_warmup, clean_prob_of(model)))
    assert [in_warmup for in_warmup, _ in witness.iters] == [True] * 3 + [False] * 3
    last = clean_prob_of(unwrap_model(runner.model))
    told = [witness.iters[0][1], witness.iters[3][1], last]
    assert len({tuple(clean_prob.tolist()) for clean_prob in told}) == 3
    table = read_label_table(tmp_path / 'first' / 'label_quality.csv')
    np.testing.assert_allclose(table.clean_prob, last, rtol=1e-4, atol=1e-6)
    assert ((table.label_quality >= 0) & (table.label_quality <= 1)).all()

    resumed = build_runner(
        tmp_path / 'second',
        m_correction(),
        DATA,
        hook(BETAS),
        max_epochs=3,
        resume=True,
        load_from=str(tmp_path / 'first' / 'epoch_2.pth'),
    )
    again = watch(resumed, lambda model: (model.head.in_warmup, clean_prob_of(model)))
    torch.testing.assert_close(again.before[1], last, rtol=0, atol=1e-5)
    assert [in_warmup for in_warmup, _ in again.iters] == [False] * 3
    lines = [json.loads(line) for path in tmp_path.glob('second/*/vis_data/scalars.json') for line in path.open()]
    assert any('label_noise/auc' in line for line in lines)
