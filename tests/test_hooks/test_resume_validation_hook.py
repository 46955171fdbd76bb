# SPDX-License-Identifier: Apache-2.0
"""No accuracy is missing from the record of a run that was stopped between checkpoint and validation."""

import pytest
from mmengine.hooks import Hook
from toy_runs import PLAIN_PIPELINE, build_runner, classifier, noisy_digits, recorded

CATCH_UP = dict(type='ResumeValidationHook')


class Stop(Hook):
    """Ends a run when it begins to validate."""

    def before_val(self, runner):
        raise KeyboardInterrupt


def build(work_dir, **changes):
    train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=1)
    data = noisy_digits(16, PLAIN_PIPELINE)
    return build_runner(work_dir, classifier(), data, CATCH_UP, train_cfg=train_cfg, **changes)


def accuracies(work_dir):
    return [line['step'] for line in recorded(work_dir) if 'accuracy/top1' in line]


def test_validation_is_made_up_for_once(tmp_path):
    stopped = build(tmp_path)
    stopped.register_hook(Stop())
    with pytest.raises(KeyboardInterrupt):
        stopped.train()
    assert accuracies(tmp_path) == []
    # The second time, there is nothing to make up for.
    for _ in range(2):
        build(tmp_path, resume=True).train()
        assert accuracies(tmp_path) == [1]
    # Another work directory has no record yet.
    build(tmp_path / 'other', resume=True, load_from=str(tmp_path / 'epoch_1.pth')).train()
    assert accuracies(tmp_path / 'other') == [1]
