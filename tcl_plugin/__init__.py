# SPDX-License-Identifier: Apache-2.0
"""Robust image classification under label noise, as a plugin for mmpretrain.

Importing this package registers its parts in mmpretrain's registries; a config does so with
``custom_imports = dict(imports=['tcl_plugin'], allow_failed_imports=False)``.
"""

from . import auto_setup, compat, datasets, detection, hooks, models, zoo
from .version import __version__

__all__ = ['__version__', 'auto_setup', 'compat', 'datasets', 'detection', 'hooks', 'models', 'zoo']
