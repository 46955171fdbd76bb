# SPDX-License-Identifier: Apache-2.0
"""How many examples a property is tried on: the same ones each time, and few."""

from hypothesis import HealthCheck, settings

few = settings(
    derandomize=True,
    deadline=None,
    max_examples=25,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
