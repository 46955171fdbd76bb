# SPDX-License-Identifier: Apache-2.0
"""What a run was and what came out of it, from its work directory."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..foreign_config import admit_recorded_config
from ..moved_lists import find_moved_lists, is_made_list, is_remade_list, path_from_anywhere
from .pieces import as_made, check_training, config_of, data_seeds, latest_pieces, read_literals, recipes
from .records import ACCURACY, NEIGHBORS, RunRecord, pieces_in, read_piece_info, read_record

# {method}_{network}_{data}_{noise}; see configs/README.md. The noise is read from the config itself.
NAME = re.compile(r'(?P<method>[^_]+)_(?P<setting>.+?)(_(a?sym|idn)\d\d)?(_open\d\d)?')
SHORT = {'SymmetricNoise': 'sym', 'AsymmetricNoise': 'asym', 'InstanceDependentNoise': 'idn'}
TAIL = 10


@dataclass
class Run:
    """One training.

    Attributes:
        work_dir (Path): Its work directory.
        method (str): First part of the config's name, such as ``'tcl'``.
        setting (str): Network and data set, such as ``'r18_cifar10'``, and the share of images held out.
        noise (str): Kind and nominal rate, such as ``'sym80'``; see :func:`name_noise`.
        seed (int, optional): Seed of training.
        data_seeds (tuple[int, ...]): Seeds of the noise, of the images that replace others, and of those held out.
        epochs (int): Number of epochs that were trained.
        max_epochs (int): Number that the config asks for.
        last (float): Accuracy in validation, on the test set in most configs, after the last epoch, in per cent.
        best (float): Highest of these, in per cent; chosen on the same images, so no fair estimate.
        tail (float): Mean of these over the last ten epochs, as far as they were evaluated, in per cent; over the last
            ten evaluations of a run that counts iterations.
        selected (float, optional): The same of the epoch that agrees best with the noisy labels held out, in per cent;
            chosen without clean labels. None where none are held out.
        knn (float, optional): Accuracy by nearest neighbours in the training set after the last epoch, in per cent.
        noise_rate (float, optional): Measured share of wrong labels, where the truth is known.
        estimated (float, optional): The same as estimated by the run.
        auc (float, optional): AUC of telling right from wrong labels by the detector's score.
        fitted (float, optional): Share of wrong labels that the network predicts in the end.
        recipe (str): Digest of the config without seeds and paths, and of the number of processes: runs of one recipe
            are seeds of one another.
        changed (bool): Whether a run that was stopped went on with another recipe, or other labels or images.
        seconds (float, optional): Time of all pieces of the run, evaluation included.
        device (str, optional): Hardware of all pieces.
        commit (str, optional): Commits of this package, of all pieces.
        command (str, optional): Command of the first piece.
        stopped_early (bool): Whether mmengine's ``EarlyStoppingHook`` has ended it before its last epoch.
    """

    work_dir: Path
    method: str
    setting: str
    noise: str
    seed: int | None
    epochs: int
    max_epochs: int
    last: float
    best: float
    tail: float
    selected: float | None = None
    knn: float | None = None
    noise_rate: float | None = None
    estimated: float | None = None
    auc: float | None = None
    fitted: float | None = None
    data_seeds: tuple[int, ...] = ()
    recipe: str = ''
    changed: bool = False
    seconds: float | None = None
    device: str | None = None
    commit: str | None = None
    command: str | None = None
    stopped_early: bool = False

    @property
    def finished(self) -> bool:
        """Whether it has come to its end, after all epochs or early; never of a run that counts iterations."""
        return self.max_epochs > 0 and (self.epochs >= self.max_epochs or self.stopped_early)


def find_runs(folders: Iterable[str | Path]) -> list[Path]:
    """Find the work directories in and below folders.

    Args:
        folders (Iterable[str | Path]): The folders.

    Returns:
        list[Path]: Work directories with a record, sorted, each once.

    Raises:
        FileNotFoundError: If a folder has none.
    """
    found = set()
    for folder in folders:
        below = {path.parents[2] for path in Path(folder).glob('**/vis_data/scalars.json')}
        if not below:
            raise FileNotFoundError(f'{folder} is no work directory of a training, and there is none below it')
        found |= below
    return sorted(found)


def read_run(work_dir: str | Path) -> Run:
    """Read a run.

    Args:
        work_dir (str | Path): Its work directory.

    Returns:
        Run: The run.

    Raises:
        FileNotFoundError: If the record or the config is missing.
        ValueError: If no accuracy has been recorded yet.
    """
    work_dir = Path(work_dir)
    record, (name, cfg) = read_record(work_dir), read_config(work_dir, to_build=False)
    said = NAME.fullmatch(name)
    accuracy = record.series(ACCURACY)
    max_epochs = cfg.train_cfg.get('max_epochs') or 0
    pieces = latest_pieces(work_dir)
    # Random numbers go on with the seed of the first piece, whatever the config of a later one says.
    configs = [config_of(piece) or cfg.to_dict() for piece in pieces]
    infos = [read_piece_info(piece) for piece in pieces]
    first, found = configs[0], recipes(configs, infos)
    return Run(
        work_dir=work_dir,
        method=said['method'] if said else name,
        setting=_setting(said['setting'] if said else '', cfg),
        noise=name_noise(cfg, infos[-1]),
        seed=(first.get('randomness') or {}).get('seed'),
        data_seeds=data_seeds(as_made(first, infos[0])),
        epochs=record.epochs,
        max_epochs=max_epochs,
        recipe=' '.join(found),
        changed=len(found) > 1,
        last=record.last_accuracy,
        best=record.best_accuracy,
        tail=_tail(accuracy, record.epochs, by_epoch=max_epochs > 0),
        # With other images held out on the way, these have been trained on.
        selected=None if len(found) > 1 else record.selected_accuracy,
        knn=record.scalars.get(NEIGHBORS, {}).get(record.epochs),
        # Of one that was resumed, the last piece.
        stopped_early=bool(infos) and infos[-1].get('stopped_early') is True,
        **_detection(record),
        **_how(infos),
    )


def read_config(work_dir: Path, to_build: bool = True) -> tuple[str, Config]:
    """Read the config that mmengine has left in a work directory: that of the latest run.

    mmengine writes literals. Nothing in the file is run, so that a work directory of somebody else can be read.

    Args:
        work_dir (Path): The work directory.
        to_build (bool): Whether anything is to be built of it, so that it must pass :func:`admit_config`, unless
            ``TCL_TRUST_CONFIG=1`` in the environment says that it is to be trusted; modules that it names are
            imported then. Defaults to True.

    Returns:
        tuple[str, Config]: Its name and content.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is not as mmengine writes it, is not of a training, or would choose what code is run.
    """
    files = sorted(work_dir.glob('*.py'), key=lambda path: path.stat().st_mtime)
    # mmengine's local backend keeps the config of each piece beside its scalars; a later test leaves none there.
    pieces = [piece / 'vis_data' / 'config.py' for piece in pieces_in(work_dir)]
    if not files:
        raise FileNotFoundError(f'{work_dir} has no config: mmengine writes it when a training begins')
    names = [name for name in (read_piece_info(path.parents[1]).get('config') for path in pieces) if name]
    content = next((path for path in reversed(pieces) if path.exists()), files[-1])
    values = read_literals(content)
    if to_build:
        admit_recorded_config(values, content)
    check_training(values, content)
    find_moved_lists(values, work_dir)
    return names[-1] if names else files[-1].stem, Config(values)


def name_noise(cfg: Config, info: dict[str, Any] | None = None) -> str:
    """Name the noise of a config by kind and nominal rate.

    Args:
        cfg (Config): The config.
        info (dict[str, Any], optional): What :func:`read_piece_info` says of a run of it.

    Returns:
        str: ``'sym80'`` and the like as in the names of configs, with ``', own mapping'`` behind it where the classes
        that are taken for others have no name; other generators by their type,
        label files, and lists that a person has named, by their name, and by that of the run where an audit has
        written them; ``'own labels'`` where the
        data set's labels are the given ones; ``'+open30'`` behind it where images are replaced. A label file of
        which ``info`` says how it was made is named like a generator, with ``' (file)'`` behind.
    """
    dataset = as_made(cfg.to_dict(), info or {})['train_dataloader']['dataset']
    opened = (dataset.get('open_set') or {}).get('rate')
    name = _closed_noise(dataset) + (f'+open{_percent(opened)}' if opened else '')
    return f'{name} (file)' if dataset.get('from_file') else name


def _tail(accuracy: Mapping[int, float], epochs: int, by_epoch: bool) -> float:
    """Mean over the last ten epochs; over the last ten evaluations of a run that counts iterations."""
    # The last epoch has been evaluated: by its number the run is as long as it is.
    last = [epoch for epoch in sorted(accuracy) if not by_epoch or epoch > epochs - TAIL][-TAIL:]
    return sum(accuracy[epoch] for epoch in last) / len(last)


def _setting(name: str, cfg: Config) -> str:
    """What a run was trained on: without some of the images it is another thing."""
    share = cfg.train_dataloader.dataset.get('held_out')
    return f'{name}, {100 * share:g} % held out'.removeprefix(', ') if share else name


def _closed_noise(dataset: dict) -> str:
    if dataset.get('label_file'):
        return ' '.join(filter(None, [_file_name(dataset['label_file']), dataset.get('label_key')]))
    noise = dataset.get('noise')
    if not noise:
        return _own_list(dataset.get('dataset') or {}) or 'own labels'
    kind, rate, mapping = noise['type'], noise.get('rate'), noise.get('mapping')
    if not isinstance(rate, (int, float)):  # it has none, or one's own has several
        name = kind
    elif kind == 'MarginDiminishingNoise':
        name = f'pmd{noise.get("kind", 1)}-{_percent(rate)}' + (' flip' if noise.get('scale') == 'flip' else '')
    else:
        name = f'{SHORT[kind]}{_percent(rate)}' if kind in SHORT else f'{kind} {rate:g}'
    # That of a data set has a name, such as 'cifar10'.
    return name if mapping is None or isinstance(mapping, str) else f'{name}, own mapping'


def _percent(rate: float) -> str:
    # Six digits: 100 * 0.29 is 28.999999999999996.
    return f'{100 * rate:g}'


def _own_list(images: dict) -> str:
    """Name of the list that a person has named, and none that set-up has made; empty without one."""
    named = images.get('ann_file') if images.get('type') == 'CSVDataset' else None
    if not named or (is_made_list(named) and not is_remade_list(named)):
        return ''
    # Of the person's list the name of one without the images that are gone has the digest alone.
    return f'own list {path_from_anywhere(named).stem.split("_")[2]}' if is_made_list(named) else _file_name(named)


def _file_name(path: str) -> str:
    """Name of a file of labels; that of an audit, which calls all of them the same, with the name of its run."""
    parts = path_from_anywhere(path).parts
    if parts[-2:-1] != ('audit',):
        return parts[-1]
    in_sweep = any(re.fullmatch(r'seed\d+', part) for part in parts[-3:-2])
    return '/'.join(parts[-4 if in_sweep else -3 :])


def _detection(record: RunRecord) -> dict[str, Any]:
    """What :class:`LabelNoiseHook` has measured in the end."""
    names = dict(
        noise_rate='noise_rate', estimated='estimated_noise_rate', auc='score_auc', fitted='wrong_labels_fitted'
    )
    return {
        key: record.last(f'label_noise/{name}')
        for key, name in names.items()
        if f'label_noise/{name}' in record.scalars
    }


def _how(infos: Sequence[dict[str, Any]]) -> dict:
    """What ``RunInfoHook`` has written of the pieces that make up a run, together.

    ``seconds`` of all, None where one was stopped; ``device`` and ``commit`` of all, each once; ``command`` of the
    first. Empty without records.
    """
    pieces = [info for info in infos if info]
    if not pieces:
        return {}
    seconds = [piece['seconds'] for piece in pieces]
    return dict(
        seconds=None if None in seconds else sum(seconds),
        device=_each_once(_devices(piece) for piece in pieces),
        commit=_each_once(piece['commit'] for piece in pieces),
        command=pieces[0]['command'],
    )


def _each_once(values: Iterable[str | None]) -> str | None:
    return ', '.join(dict.fromkeys(value for value in values if value)) or None


def _devices(info: dict[str, Any]) -> str | None:
    """The device, and how many of its kind."""
    count = info.get('processes', 1)
    return info['device'] if count == 1 or not info['device'] else f'{count} x {info["device"]}'


# Where a data set's config says which images it has.
PLACES = ('ann_file', 'data_root', 'data_prefix', 'indices')


def images_of_part(cfg: Config, part: str = 'test') -> str:
    """Say which images a run was tested on, or validated.

    Of a folder without images to test those of validation are taken, kept back from training, whose labels may be
    wrong, too; and without validation those of training themselves.

    Args:
        cfg (Config): The run's config.
        part (str): Which dataloader is meant, ``'test'`` or ``'val'``. Defaults to ``'test'``.

    Returns:
        str: ``'test'``, ``'validation'`` or ``'training'``.
    """
    own = _images_of(cfg.get(f'{part}_dataloader'))
    if own is None or own[0] is None:
        return 'test'
    # Lists of a folder's images are named by tools/train.py; a person may have trained on another one since.
    named = re.fullmatch(r'(train|val)_[0-9a-f]{8}\.csv', Path(own[0]).name)
    if own == _images_of(cfg.train_dataloader) or (named and named[1] == 'train'):
        return 'training'
    return 'validation' if named else 'test'


def _images_of(loader: Mapping | None) -> tuple | None:
    """What tells data sets apart; None where a wrapper parts one."""
    dataset = (loader or {}).get('dataset') or {}
    while 'dataset' in dataset:
        if str(dataset.get('type')).endswith('KFoldDataset'):
            return None
        dataset = dataset['dataset']
    return tuple(str(dataset[key]) if dataset.get(key) else None for key in PLACES)
