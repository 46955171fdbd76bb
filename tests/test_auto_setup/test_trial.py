# SPDX-License-Identifier: Apache-2.0
"""A step on a few images tells what it keeps in memory, and changes nothing."""

import torch
from folder_config import QUICK, TINY, completed_folder_config
from mmengine.registry import DefaultScope
from torch import nn
from tree_builders import build_own_folder

from tcl_plugin.auto_setup.trial import _step, try_step


class Squares(nn.Module):
    """Keeps its input, a product, the square of that, and its weight for the backward pass."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(5))

    def data_preprocessor(self, batch, training):
        return batch

    def forward(self, inputs, mode):
        square = (inputs * self.weight) ** 2
        return dict(loss=(square * self.weight).sum())

    def parse_losses(self, losses):
        return losses['loss'], {}


def test_bytes_are_those_kept_for_the_backward_pass():
    model = Squares()
    kept = _step(model, dict(inputs=torch.ones(7, 5)))
    # The input, its product with the weight and the square of that, each once; the weight does not count.
    assert kept == 3 * 7 * 5 * 4
    assert model.weight.grad is None


def test_larger_images_take_more(tmp_path):
    folder = build_own_folder(tmp_path / 'own', count=5)
    trials = []
    for size in (32, 64):
        cfg = completed_folder_config(folder, tmp_path, **QUICK, **{**TINY, 'image_size': size})
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            trials.append(try_step(cfg, torch.device('cpu')))
    small, large = trials
    assert 2.5 < large.sample_bytes / small.sample_bytes < 4.5
    assert small.model_bytes == large.model_bytes and small.seconds > 0
