# SPDX-License-Identifier: Apache-2.0
"""What is kept of a run whose numbers have gone bad: NaN or infinite."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mmengine.dist as dist
import numpy as np
import torch
from mmengine.runner import Runner
from torch import Tensor, nn

from ..atomic import replacing, write_text
from ..compat import unwrap_model

RECORD_NAME = 'bad_numbers.json'
STATE_NAME = 'bad_numbers.pth'
# More than these say nothing more.
MOST_NAMED = 1000


class BadNumbersError(ValueError):
    """A number of a run is NaN or infinite.

    Args:
        text (str): What is said.
        term (str): What is bad: a loss, ``'features'``, ``'scores'`` and so on.
        sample_idx (np.ndarray): Indices of the samples concerned, int64.
    """

    def __init__(self, text: str, term: str, sample_idx: np.ndarray) -> None:
        super().__init__(text)
        self.term = term
        self.sample_idx = sample_idx


def bad_tensors(model: nn.Module) -> dict[str, int]:
    """Name the parameters and buffers that hold NaN or infinity.

    Args:
        model (nn.Module): The model, unwrapped.

    Returns:
        dict[str, int]: Number of such entries, by name.
    """
    counts = {name: int((~tensor.isfinite()).sum()) for name, tensor in model.state_dict().items()}
    return {name: count for name, count in counts.items() if count}


def keep_evidence(runner: Runner, record: dict, before: dict | None = None) -> None:
    """Write what one needs to look at it, in the main process.

    ``bad_numbers.json`` says what was bad, where and with which samples, and which parameters and
    buffers are. ``bad_numbers.pth`` holds ``state_dict``, the weights as they are; ``before``, the
    last ones known to be good, with the number of steps that they have had; and ``optimizer``. It has
    ``meta`` with epoch and iteration, but no checkpoint's name, so that no run resumes from it.

    Args:
        runner (Runner): The runner.
        record (dict): What is known; plain numbers, texts, lists. Its ``message`` goes to the log.
        before (dict, optional): ``iter`` and ``state_dict`` of a good state.
    """
    if not dist.is_main_process():
        return
    # First, since a full disk would have the last word.
    runner.logger.error(record['message'])
    model = unwrap_model(runner.model)
    record = record | dict(bad_tensors=bad_tensors(model), good_iter=before and before['iter'])
    state = dict(
        meta=dict(epoch=runner.epoch, iter=runner.iter),
        state_dict=model.state_dict(),
        before=before,
        optimizer=runner.optim_wrapper.state_dict(),
    )
    folder = Path(runner.work_dir)
    # JSON knows no NaN: such a value is written as a text.
    text = json.dumps(record, indent=2, allow_nan=False) + '\n'
    write_text(folder / RECORD_NAME, text)
    # As mmengine does: on a full disk torch itself says where it was in the file, and not that there is no room.
    content = io.BytesIO()
    torch.save(state, content)
    with replacing(folder / STATE_NAME, 'wb') as file:
        file.write(content.getbuffer())


def number(value: float | Tensor) -> float | str:
    """A number for JSON: NaN and infinity as texts.

    Args:
        value (float | Tensor): The number.

    Returns:
        float | str: The number, or its name.
    """
    value = float(value)
    return value if np.isfinite(value) else str(value)


@contextmanager
def evidence_of_pass(runner: Runner, dataset: Any, epoch: int) -> Iterator[None]:
    """Keep evidence, and say when, if numbers of a pass over the training set are bad.

    Args:
        runner (Runner): The runner.
        dataset (NoisyLabelDataset): The training set.
        epoch (int): Number of epochs that have been trained.

    Yields:
        None: Nothing.

    Raises:
        BadNumbersError: As raised inside, with epoch and iteration.
    """
    try:
        yield
    except BadNumbersError as error:
        index = error.sample_idx[:MOST_NAMED]
        record = dict(
            term=error.term,
            epoch=epoch,
            iter=runner.iter,
            message=str(error),
            sample_idx=index.tolist(),
            given_label=dataset.given_labels[index].tolist(),
        )
        good = next((hook.good for hook in runner.hooks if hasattr(hook, 'good_state_of_run')), None)
        keep_evidence(runner, record, good)
        text = f'after epoch {epoch}, iteration {runner.iter}: {error}; see {RECORD_NAME} in {runner.work_dir}'
        raise BadNumbersError(text, error.term, error.sample_idx) from error
