# SPDX-License-Identifier: Apache-2.0
"""What a work directory says of the training that it holds."""

import hashlib
import json
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..atomic import write_text
from ..errors import UserError
from ..folder_lock import is_held
from ..reports import read_record, read_run
from ..reports.records import ACCURACY, pieces_in
from ..safe_files import read_json
from .plan import Job

RECORD = 'sweep.json'


def check_record(job: Job) -> None:
    """Refuse to take a work directory of another sweep for this training's.

    Args:
        job (Job): The training.

    Raises:
        UserError: If the work directory has a training with other options, or by a config that was edited since.
    """
    path, told = job.folder / RECORD, _record_of(job)
    # One that has come to nothing holds nobody up.
    if path.exists() and (any(job.folder.glob('*.pth')) or pieces_in(job.folder) or is_held(job.folder)):
        try:
            before: Any = read_json(path)
            options = ' '.join(before['options'])
            content = before.pop('content', told['content'])  # records of earlier releases have none
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f'{path} is not as sweep.py writes it ({error}): choose another --work-dir') from error
        if before != dict(config=told['config'], options=told['options']):
            raise UserError(f'{job.folder} holds a training with other options ({options}): choose another --work-dir')
        if content != told['content']:
            raise UserError(
                f'{job.folder} holds a training of {job.config} as it was before it, or a config that it is based on, '
                'was edited: choose another --work-dir, or remove that folder'
            )


def keep_record(job: Job) -> None:
    """Leave word of a training in its work directory, unless that is another's.

    Args:
        job (Job): The training.

    Raises:
        UserError: See :func:`check_record`.
    """
    check_record(job)
    job.folder.mkdir(parents=True, exist_ok=True)
    write_text(job.folder / RECORD, json.dumps(_record_of(job)))


def _record_of(job: Job) -> dict[str, Any]:
    return dict(config=job.config.name, options=job.options, content=content_of(job.config))


def content_of(config: Path) -> str:
    """Fingerprint of a config with all that it is based on.

    Args:
        config (Path): The config.

    Returns:
        str: SHA-256 of its values, in hexadecimal.
    """
    values = Config.fromfile(config, import_custom_modules=False).to_dict()
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()


def finished(folder: Path) -> bool:
    """Tell whether a work directory holds a training that has come to its end.

    Args:
        folder (Path): The work directory.

    Returns:
        bool: True if so.

    Raises:
        ValueError: If a file in it is damaged, so that nobody can tell.
    """
    if not (folder / 'last_checkpoint').exists():
        return False
    try:
        # Without an accuracy it was stopped before the first evaluation.
        return ACCURACY in read_record(folder).scalars and read_run(folder).finished
    except FileNotFoundError:
        return False
