# SPDX-License-Identifier: Apache-2.0
"""Which labels are right: maths over tensors, without runner, model or dataset."""

from .beta_mixture import BetaMixture, BetaMixtureDetector, fit_beta_mixture
from .degenerate import DetectionWarning
from .gmm import GMMOptions, ScoreMixture, fit_clean_probability, fit_score_mixture
from .knn import KNNDetector
from .label_posterior import LabelPosterior, estimate_transition
from .mixture import class_means, class_variances, posterior
from .ood import OODDetector
from .small_loss import SmallLossDetector
from .transition import keep_absent, transitions_from_anchors

__all__ = [
    'BetaMixture',
    'BetaMixtureDetector',
    'DetectionWarning',
    'GMMOptions',
    'KNNDetector',
    'LabelPosterior',
    'OODDetector',
    'ScoreMixture',
    'SmallLossDetector',
    'class_means',
    'class_variances',
    'estimate_transition',
    'fit_beta_mixture',
    'fit_clean_probability',
    'fit_score_mixture',
    'keep_absent',
    'posterior',
    'transitions_from_anchors',
]
