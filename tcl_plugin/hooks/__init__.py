# SPDX-License-Identifier: Apache-2.0
"""When things happen during training."""

from .atomic_checkpoint_hook import AtomicCheckpointHook
from .bad_numbers_hook import BadNumbersHook
from .deferred_runtime_info_hook import DeferredRuntimeInfoHook
from .distinct_pictures_hook import DistinctPicturesHook
from .epoch_seed_hook import EpochSeedHook
from .held_out_hook import HeldOutHook
from .knn_accuracy_hook import KNNAccuracyHook
from .label_noise_hook import LabelNoiseHook
from .relabel_hook import RelabelHook
from .resident_data_hook import ResidentDataHook
from .resume_validation_hook import ResumeValidationHook
from .run_info_hook import RunInfoHook
from .sample_state_hook import SampleStateHook
from .transition_matrix_hook import TransitionMatrixHook

__all__ = [
    'AtomicCheckpointHook',
    'BadNumbersHook',
    'DeferredRuntimeInfoHook',
    'DistinctPicturesHook',
    'EpochSeedHook',
    'HeldOutHook',
    'KNNAccuracyHook',
    'LabelNoiseHook',
    'RelabelHook',
    'ResidentDataHook',
    'ResumeValidationHook',
    'RunInfoHook',
    'SampleStateHook',
    'TransitionMatrixHook',
]
