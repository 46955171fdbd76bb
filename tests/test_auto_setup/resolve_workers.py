# SPDX-License-Identifier: Apache-2.0
"""What each of several processes does in the tests of decisions."""

from mmengine.config import Config

from tcl_plugin.auto_setup import Decision, complete
from tcl_plugin.errors import UserError


def complete_in_process(rank: int, decision: Decision) -> tuple | str:
    """Complete a config where the first process alone knows the decision; return values, or the complaint."""
    cfg = Config(dict(auto_setup=dict(type='Own'), launcher='pytorch', lr='auto:lr', names='auto:classes'))
    try:
        notes = complete(cfg, decision if rank == 0 else None)
    except UserError as error:
        return str(error)
    return cfg.lr, cfg.names, notes
