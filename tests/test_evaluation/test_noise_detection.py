# SPDX-License-Identifier: Apache-2.0
"""Metrics equal counts by hand, and what is undefined is left out."""

import numpy as np
import pytest

from tcl_plugin.evaluation import detection_metrics, fitted_share

TRUE = np.array([0, 0, 1, 1, 2, 2])
GIVEN = np.array([0, 1, 1, 0, 2, 2])  # the second and the fourth are wrong
SCORES = np.array([0.9, 0.1, 0.8, 0.6, 0.5, 0.7])
# 0.5 counts as wrong: called wrong are the second and the fifth
CLEAN_PROB = np.array([0.9, 0.0, 0.9, 0.9, 0.5, 0.9])


def test_by_hand():
    metrics = detection_metrics(CLEAN_PROB, SCORES, GIVEN, TRUE)
    # Of 4 x 2 pairs (right, wrong) by the score: the one at 0.6 is above one right label.
    assert metrics['score_auc'] == pytest.approx(7 / 8)
    # By the clean probability it ties with three and is above one.
    assert metrics['auc'] == pytest.approx((4 + 3 / 2) / 8)
    assert metrics['precision'] == pytest.approx(1 / 2)
    assert metrics['recall'] == pytest.approx(1 / 2)
    assert all(type(value) is float for value in metrics.values())


@pytest.mark.parametrize(
    ('clean_prob', 'given', 'names'),
    [
        (CLEAN_PROB, TRUE, {'precision'}),
        (np.ones(6), TRUE, set()),
        (np.ones(6), GIVEN, {'auc', 'score_auc', 'recall'}),
        (CLEAN_PROB, (TRUE + 1) % 3, {'precision', 'recall'}),
    ],
    ids=['nothing wrong', 'nothing wrong or called so', 'nothing called wrong', 'everything wrong'],
)
def test_what_is_undefined_is_left_out(clean_prob, given, names):
    metrics = detection_metrics(clean_prob, SCORES, given, TRUE)
    assert set(metrics) == names
    assert np.isfinite(list(metrics.values())).all()


def test_fitted_share():
    predicted = np.array([1, 1, 1, 2, 2, 2])  # of the two wrong labels the first is predicted
    assert fitted_share(predicted, GIVEN, TRUE) == 0.5
    assert fitted_share(predicted, TRUE, TRUE) is None


def test_images_of_no_class_are_wrong_like_others():
    """Only whether a true label is the given one counts, not which it is."""
    true = np.where(GIVEN == TRUE, TRUE, -1)
    assert detection_metrics(CLEAN_PROB, SCORES, GIVEN, true) == detection_metrics(CLEAN_PROB, SCORES, GIVEN, TRUE)
    assert fitted_share(np.array([1, 1, 1, 2, 2, 2]), GIVEN, true) == 0.5
