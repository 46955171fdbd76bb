# SPDX-License-Identifier: Apache-2.0
"""When things happen during training."""

from .bad_numbers_hook import BadNumbersHook
from .deferred_runtime_info_hook import DeferredRuntimeInfoHook
from .label_noise_hook import LabelNoiseHook
from .relabel_hook import RelabelHook
from .resident_data_hook import ResidentDataHook
from .run_info_hook import RunInfoHook
from .sample_state_hook import SampleStateHook
from .transition_matrix_hook import TransitionMatrixHook

__all__ = [
    'BadNumbersHook',
    'DeferredRuntimeInfoHook',
    'LabelNoiseHook',
    'RelabelHook',
    'ResidentDataHook',
    'RunInfoHook',
    'SampleStateHook',
    'TransitionMatrixHook',
]
