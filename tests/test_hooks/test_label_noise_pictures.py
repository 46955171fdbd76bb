# SPDX-License-Identifier: Apache-2.0
"""The hook draws the scores for the visualisation backends, when it is asked to."""

import numpy as np
import pytest
from PIL import Image
from toy_runs import build_runner, hook, noisy_digits, tcl

from tcl_plugin.hooks import LabelNoiseHook
from tcl_plugin.hooks.label_noise_hook import PICTURE_NAME


def test_scores_go_to_the_local_backend(tmp_path):
    build_runner(tmp_path, tcl(), noisy_digits(), hook(plot_interval=2), max_epochs=3).train()
    (picture,) = tmp_path.glob('*/vis_data/vis_image/*')
    assert picture.name == f'{PICTURE_NAME}_2.png'
    pixels = np.asarray(Image.open(picture))
    assert pixels.shape[2] == 3 and len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50


def test_refusals():
    with pytest.raises(ValueError, match=r'plot_interval must be 0 or a multiple of interval=2, got 3'):
        LabelNoiseHook(detector=dict(type='OODDetector'), interval=2, plot_interval=3)
    with pytest.raises(ValueError, match=r'plot_interval=1 draws scores, which need a detector'):
        LabelNoiseHook(plot_interval=1)
