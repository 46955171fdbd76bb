# SPDX-License-Identifier: Apache-2.0
"""A trained checkpoint predicts alike in training, in ``tools/test.py`` and in mmpretrain's inferencer."""

import numpy as np
import pytest
from mmengine.fileio import load
from mmpretrain import ImageClassificationInferencer
from PIL import Image
from toolbox import DIGITS, logged, options

from tcl_plugin.datasets import SklearnDigits

NUM_TEST = 50  # as in toolbox.TINY


@pytest.fixture(scope='module')
def test_set():
    dataset = SklearnDigits(split='test')
    return [dataset.get_data_info(i) for i in range(NUM_TEST)]


@pytest.fixture(scope='module')
def inferencer(trained):
    """From the config that the training left, as the digits' own is for a wider network."""
    return ImageClassificationInferencer(str(trained / DIGITS.name), str(trained / 'epoch_2.pth'), device='cpu')


def test_predictions_are_the_same_everywhere(trained, inferencer, test_set, test_tool, workplace):
    results = inferencer([info['img'] for info in test_set], batch_size=16)
    right = [result['pred_label'] == info['gt_label'] for result, info in zip(results, test_set, strict=True)]
    assert logged(trained, 'accuracy/top1') == pytest.approx(100 * np.mean(right), abs=1e-3)

    flags = ['--work-dir', 't', '--out', 'predictions.pkl', *options('experiment_name=tested')]
    assert test_tool.main([str(DIGITS), str(trained / 'epoch_2.pth'), *flags]) == 0
    (report,) = workplace.glob('t/*/*.json')
    assert load(report)['accuracy/top1'] == pytest.approx(100 * np.mean(right), abs=1e-3)
    expected = [sample['pred_score'].numpy() for sample in load('predictions.pkl')]
    np.testing.assert_allclose([result['pred_scores'] for result in results], expected, rtol=1e-4, atol=1e-6)
    assert len(np.unique(np.round(expected, 5), axis=0)) > NUM_TEST // 2


def test_predicts_from_a_file(inferencer, test_set, tmp_path):
    image = test_set[0]['img']
    Image.fromarray(image).save(tmp_path / 'digit.png')
    (result,) = inferencer(str(tmp_path / 'digit.png'))
    (expected,) = inferencer(image)
    np.testing.assert_allclose(result['pred_scores'], expected['pred_scores'], rtol=1e-6)
    assert result['pred_scores'].sum() == pytest.approx(1, abs=1e-5)
    assert result['pred_class'] == str(result['pred_label'])
