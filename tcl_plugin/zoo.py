# SPDX-License-Identifier: Apache-2.0
"""The configs of this package by name, for ``mmpretrain.get_model`` and ``mmpretrain.list_models``."""

import warnings
from pathlib import Path

from mmpretrain.apis.model import ModelHub
from modelindex.load_model_index import load

from .compat import before_model_lookup

PACKAGE = Path(__file__).resolve().parent
INDEX_NAME = 'model-index.yml'


def find_index(package: Path = PACKAGE) -> Path | None:
    """Find the index of the configs.

    Args:
        package (Path): Folder of this package. Defaults to where it is.

    Returns:
        Path, optional: ``model-index.yml`` within the package, where installing puts it, or else in the checkout
        round it; None if there is neither.
    """
    candidates = (package / '.mim' / INDEX_NAME, package.parent / INDEX_NAME)
    return next((path for path in candidates if path.is_file()), None)


def register_configs(index: Path | None) -> None:
    """Tell mmpretrain the configs.

    Args:
        index (Path, optional): See :func:`find_index`. Without one there is a warning.

    Raises:
        RuntimeError: If the index, or a file that it imports, cannot be read.
        ValueError: If mmpretrain has a model of the same name.
    """
    if index is None:
        warnings.warn(
            f'{PACKAGE} was installed without its configs ({INDEX_NAME}): mmpretrain does not know them by name',
            stacklevel=2,
        )
        return
    # What the library finds wrong, a missing file above all, it keeps for those who ask.
    problems = load(str(index)).check(silent=True)
    if problems:
        raise RuntimeError(f'{index}: {problems[0]}; install tcl_plugin again')
    # Paths of configs are relative to the index, not to the file that it imports them from.
    ModelHub.register_model_index(index, config_prefix=index.parent)


# Not now: reading some 170 entries takes a quarter of a second, and every training and every worker imports this.
before_model_lookup(lambda: register_configs(find_index()))
