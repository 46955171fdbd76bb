# SPDX-License-Identifier: Apache-2.0
"""What a run has recorded in its work directory."""

import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from ..datasets.sidecar import tells_how_made
from ..foreign_config import parse_config
from ..safe_files import parse_json, read_json

# Of a piece of a run.
SCALARS = 'vis_data/scalars.json'

ACCURACY = 'accuracy/top1'
HELD_OUT = 'held_out/accuracy/top1'
NEIGHBORS = 'knn/accuracy/top1'
# What is read of run.json.
_TEXT = (str, type(None))
INFO: dict[str, Any] = dict(
    first_epoch=int, seconds=(int, float, type(None)), device=_TEXT, commit=_TEXT, command=_TEXT
)

# First epoch of a piece that has recorded nothing, and does not replace anything.
NOTHING_YET = sys.maxsize

# Values by name and number of epochs.
Series = dict[str, dict[int, float]]


@dataclass
class RunRecord:
    """The scalars that a run logged once an epoch.

    Attributes:
        work_dir (Path): Its work directory.
        scalars (dict[str, dict[int, float]]): Value of each scalar after so many epochs, such as
            ``scalars['accuracy/top1'][40]``.
        losses (dict[str, dict[int, float]]): Mean of each loss term over what was logged of an epoch, such
            as ``losses['loss_contrast'][40]``; their sum is ``losses['loss']``.
    """

    work_dir: Path
    scalars: dict[str, dict[int, float]]
    losses: dict[str, dict[int, float]] = field(default_factory=dict)

    @property
    def last_accuracy(self) -> float:
        """Test accuracy after the last epoch, in per cent."""
        return self.last(ACCURACY)

    @property
    def best_accuracy(self) -> float:
        """Highest test accuracy of any epoch, in per cent. Chosen on the test set: no fair estimate."""
        return max(self.series(ACCURACY).values())

    @property
    def selected_accuracy(self) -> float | None:
        """Test accuracy, in per cent, of the epoch that agrees best with the given labels held out, the earliest of
        several; None without these."""
        test, held_out = self.series(ACCURACY), self.scalars.get(HELD_OUT, {})
        epochs = sorted(test.keys() & held_out.keys())
        return test[max(epochs, key=lambda epoch: held_out[epoch])] if epochs else None

    @property
    def epochs(self) -> int:
        """Number of epochs after which the accuracy was last measured."""
        return max(self.series(ACCURACY))

    def series(self, name: str) -> dict[int, float]:
        """All values of one scalar.

        Args:
            name (str): Its name.

        Returns:
            dict[int, float]: Value after so many epochs.

        Raises:
            ValueError: If the run did not log it.
        """
        if name not in self.scalars:
            raise ValueError(f'{self.work_dir} has no record of {name}; it has {", ".join(sorted(self.scalars))}')
        return self.scalars[name]

    def last(self, name: str) -> float:
        """Latest value of one scalar; see :meth:`series`."""
        values = self.series(name)
        return values[max(values)]


def read_record(work_dir: str | Path) -> RunRecord:
    """Read the scalars of a run, in one piece or resumed.

    Of a work directory in which training was begun anew, the last training counts; of a resumed
    one, all pieces do.

    Args:
        work_dir (str | Path): The work directory.

    Returns:
        RunRecord: The record.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is damaged. The error names file and line.
    """
    pieces = pieces_in(Path(work_dir))
    if not pieces:
        raise FileNotFoundError(f'{work_dir} is no work directory of a training: it has no */vis_data/scalars.json')
    record = RunRecord(Path(work_dir), {})
    for piece in pieces:
        scalars, losses, epochs = _read_piece(piece / SCALARS)
        first = _first_epoch(piece, scalars, epochs)
        record.scalars, record.losses = _go_on(record.scalars, scalars, first), _go_on(record.losses, losses, first)
    return record


def pieces_in(work_dir: Path) -> list[Path]:
    """Find the pieces of a run that have recorded something, in the order in which they were trained.

    Their names are the local time of a machine, which goes back at the end of summer time, and in which another
    machine may be behind. ``run.json`` knows better: how many pieces were there before, and a time with its zone.
    Where that of a piece is missing, or of an early release, all go by their names.

    Args:
        work_dir (Path): The work directory.

    Returns:
        list[Path]: Their folders.
    """
    pieces = sorted(file.parents[1] for file in work_dir.glob(f'*/{SCALARS}'))
    try:
        times = {piece: _place_in_time(read_piece_info(piece)) for piece in pieces}
    except (ValueError, KeyError, TypeError):  # told where it matters
        return pieces
    return sorted(pieces, key=times.__getitem__)


def _place_in_time(info: dict[str, Any]) -> tuple[int, datetime]:
    return int(info.get('piece', 0)), datetime.strptime(info['began'], '%Y-%m-%dT%H:%M:%S%z')


def _go_on(known: Series, piece: Series, first: int) -> Series:
    """Add what a later piece of the run recorded, which began with the first of these epochs."""
    # What earlier pieces recorded of these was trained again: all of it goes, also what this piece does not record, or
    # not yet. Nothing is left of a training before one that was begun anew, such as a pass before the first epoch.
    earlier = {
        name: {step: value for step, value in values.items() if first > 1 and step < first}
        for name, values in known.items()
    }
    joined = {name: earlier.get(name, {}) | piece.get(name, {}) for name in earlier | piece}
    return {name: values for name, values in joined.items() if values}


def read_piece_info(piece: Path) -> dict[str, Any]:
    """Read what ``RunInfoHook`` has written of one piece of a run.

    Args:
        piece (Path): The folder of the piece, in the work directory.

    Returns:
        dict[str, Any]: At least the keys :data:`INFO`; ``labels_made``, where it is there, is what :func:`how_made`
        gives. Empty without a record.

    Raises:
        ValueError: If it is not as the hook writes it.
    """
    file = piece / 'run.json'
    if not file.exists():
        return {}
    try:
        info: Any = read_json(file)
    except ValueError as error:
        raise ValueError(f'{file} is not as RunInfoHook writes it: {error}') from error
    missing = [name for name in INFO if name not in info] if isinstance(info, dict) else list(INFO)
    if missing:
        raise ValueError(f'{file} is not as RunInfoHook writes it: it has no {missing[0]}')
    for name, kind in INFO.items():
        if not isinstance(info[name], kind):
            raise ValueError(f'{file} is not as RunInfoHook writes it: {name} is {info[name]!r}')
    if 'labels_made' in info and not tells_how_made(info['labels_made']):
        raise ValueError(f'{file} is not as RunInfoHook writes it: labels_made is {info["labels_made"]!r}')
    return info


def first_epoch(piece: Path) -> int:
    """Find out with which epoch a piece of a run begins.

    Args:
        piece (Path): Its folder.

    Returns:
        int: Number of the epoch, from 1, or of the iteration in a run that counts these; 0 of a look at the labels
        before the first epoch alone, and :data:`NOTHING_YET` of a piece that has recorded nothing.

    Raises:
        ValueError: If the file is damaged.
    """
    scalars, _, epochs = _read_piece(piece / SCALARS)
    return _first_epoch(piece, scalars, epochs)


def _first_epoch(piece: Path, scalars: Series, epochs: Collection[int | None]) -> int:
    """Number of the epoch, from 1, with which a piece begins; ``epochs`` are those of lines on training."""
    steps = [step for values in scalars.values() for step in values]
    counted = [epoch for epoch in epochs if epoch is not None]
    if len(counted) < len(epochs):  # iterations are counted instead
        return min(steps, default=NOTHING_YET)
    # Of a run without RunInfoHook that of the first line, or of the first result.
    return read_piece_info(piece).get('first_epoch') or min(counted or steps, default=NOTHING_YET)


def _read_piece(file: Path) -> tuple[Series, Series, set[int | None]]:
    """Scalars that are logged once an epoch, and losses, by name and epoch; and epochs with lines on training."""
    scalars: Series = {}
    trained: set[int | None] = set()
    losses: dict[str, dict[Any, list[float]]] = {}
    entries = list(_entries(file))
    # How many epochs had been trained when a line was written; None where nothing says so.
    epoch = next((entry.get('epoch') for entry in entries if 'iter' in entry), None)
    epoch = None if epoch is None else epoch - 1
    ahead = epoch is not None and any(entry['step'] > epoch + 1 for entry in entries if 'iter' not in entry)
    by_epoch = not (ahead and _counts_iterations(file.with_name('config.py')))
    for entry in entries:
        if 'iter' in entry:  # of one iteration, not of an epoch
            epoch = entry.get('epoch')
            trained.add(epoch)
            for name in filter(_is_loss, entry):
                losses.setdefault(name, {}).setdefault(epoch, []).append(entry[name])
            continue
        step = entry.pop('step')
        # LoggerHook(log_metric_by_epoch=False) numbers them by iterations.
        step = min(step, epoch) if by_epoch and epoch is not None else step
        for name, value in entry.items():
            scalars.setdefault(name, {})[step] = value
    means = {
        name: {epoch: sum(values) / len(values) for epoch, values in epochs.items()}
        for name, epochs in losses.items()
        if None not in epochs  # of a run that counts iterations alone
    }
    return scalars, means, trained


def _counts_iterations(config: Path) -> bool:
    """Whether a run has no epochs, by the config beside its record: its lines may all be of epoch 1."""
    try:
        told = parse_config(config.read_text(encoding='utf-8')).get('train_cfg') or {}
    except (FileNotFoundError, SyntaxError, ValueError):  # told where the config is read
        return False
    return told.get('by_epoch') is False or str(told.get('type')).endswith('IterBasedTrainLoop')


def _entries(file: Path) -> Iterator[dict[str, Any]]:
    """Read the lines of a file that may end in the middle of one, because the disk was full or the run killed."""
    *lines, rest = file.read_text(encoding='utf-8').split('\n')
    for number, line in enumerate(lines, 1):
        yield _read_entry(line, f'{file}: line {number}')
    if _is_json(rest):
        yield _read_entry(rest, f'{file}: line {len(lines) + 1}')


def _is_json(text: str) -> bool:
    try:
        parse_json(text, nan=True)
    except ValueError:
        return False
    return True


def _read_entry(line: str, where: str) -> dict[str, Any]:
    """Read a line of scalars."""
    try:
        entry = parse_json(line, nan=True)  # of a run that has diverged
    except ValueError as error:
        raise ValueError(
            f'{where} is no JSON ({error}): if the run was stopped while it wrote, remove the line'
        ) from error
    if not isinstance(entry, dict) or not isinstance(entry.get('step'), int):
        raise ValueError(f'{where} is no record of scalars: it has no step')
    if not all(isinstance(value, (int, float)) for value in entry.values()):
        raise ValueError(f'{where} is no record of scalars: it holds more than numbers')
    return entry


def _is_loss(name: str) -> bool:
    return name == 'loss' or name.startswith('loss_')
