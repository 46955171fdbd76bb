# SPDX-License-Identifier: Apache-2.0
"""Many trainings, some at a time: which there are, where they lie, and running them."""

from .noises import NOISE
from .plan import Job, Planner
from .pool import Pool, run_all
from .record import check_record, finished, keep_record

__all__ = ['NOISE', 'Job', 'Planner', 'Pool', 'check_record', 'finished', 'keep_record', 'run_all']
