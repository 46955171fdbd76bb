# SPDX-License-Identifier: Apache-2.0
"""The trainings of a sweep."""

import argparse
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config

from ..checkpoints import recorded_checkpoint
from ..cli import Parser, add_config_options, merge_options
from ..errors import UserError
from .noises import noise_of, same_but_for_noise, with_noise
from .seeds import seed_options

# A checkpoint that a config starts from, such as that of the first stage of TCL+.
FIRST_STAGE = re.compile(r'work_dirs/(?P<name>[^/]+)/epoch_\d+\.pth')


@dataclass
class Job:
    """One training of a sweep.

    Attributes:
        config (Path): Its config.
        folder (Path): Its work directory.
        options (list[str]): Overrides of the config.
        needs (Job, optional): The training whose checkpoint it starts from.
        state (str): ``'waiting'``, ``'running'``, ``'done'``, ``'failed'`` or, of one that has trained without the
            evaluation that a table needs, ``'unmeasured'``.
    """

    config: Path
    folder: Path
    options: list[str] = field(default_factory=list)
    needs: 'Job | None' = None
    state: str = 'waiting'

    @property
    def arguments(self) -> list[str]:
        """Arguments of ``tools/train.py``."""
        resume = (self.folder / 'last_checkpoint').exists()
        options = self.options
        if resume:  # A stopped second stage goes on from its own checkpoint, not from that of the first stage.
            options = [option for option in options if not option.startswith('load_from=')]
        elif self.needs:
            options = [*options[:-1], f'load_from={self.needs.checkpoint}']
        command = [str(self.config), '--work-dir', str(self.folder), *(['--resume'] if resume else [])]
        return [*command, '--cfg-options', *options]

    @property
    def last_epoch(self) -> Path:
        """The checkpoint of its last epoch, whether or not it is there already."""
        return self.folder / f'epoch_{self.max_epochs}.pth'

    @property
    def checkpoint(self) -> Path:
        """The checkpoint that it has ended with: of a training that was stopped early, an earlier one."""
        last = recorded_checkpoint(self.folder)
        return self.last_epoch if last is None or self.last_epoch.exists() else self.folder / last.name

    @property
    def max_epochs(self) -> int:
        """How many epochs it has, overrides included."""
        cfg = Config.fromfile(self.config, import_custom_modules=False)
        told = [option.split('=')[1] for option in self.options if option.startswith('train_cfg.max_epochs=')]
        return int(told[-1]) if told else cfg.train_cfg.max_epochs


class Planner:
    """Makes the list of trainings, first stages before second ones.

    Args:
        work_dir (str): Folder of the sweep.
        options (list[str]): Overrides for all configs.
        configs (Path): Where configs of first stages are looked for last: after those that are named, and after
            those beside the config of the second stage.
        named (Sequence[Path]): Configs that are named on the command line. Defaults to none.

    Raises:
        UserError: If an override is not understood.
    """

    def __init__(self, work_dir: str, options: list[str], configs: Path, named: Sequence[Path] = ()) -> None:
        self._work_dir = Path(work_dir)
        self._options = options
        self._merged = _parse(options)
        self._configs = configs
        self._named = named
        self._jobs: dict[Path, Job] = {}
        self._sources: dict[Path, Path] = {}  # before the noise was replaced

    @property
    def jobs(self) -> list[Job]:
        """All that has been added, in order."""
        return list(self._jobs.values())

    def add(self, config: Path, noise: str | None, seed: int) -> Job:
        """Add a training, and the one that it starts from, unless they are there already.

        Args:
            config (Path): The config.
            noise (str, optional): Noise in place of the config's own; None keeps it.
            seed (int): Seed of the noise and the training.

        Returns:
            Job: The training.

        Raises:
            UserError: If the config is missing or does not fit, or another one has the same work directory.
        """
        source = config
        config = with_noise(config, noise, self._work_dir / 'configs')
        folder = self._work_dir / config.stem / f'seed{seed}'
        known = self._jobs.get(folder)
        if known:
            same = known.config.resolve() == config.resolve() and same_but_for_noise(self._sources[folder], source)
            if not same:
                raise UserError(f'{self._sources[folder]} and {source} would share {folder}: sweep them apart')
            return known
        self._sources[folder] = source
        job = self._make(config, source, folder, seed)
        self._jobs[folder] = job
        return job

    def _make(self, config: Path, source: Path, folder: Path, seed: int) -> Job:
        cfg = Config.fromfile(config, import_custom_modules=False)
        # Not out of the overrides, which the first stage gets, too.
        first = FIRST_STAGE.fullmatch(cfg.get('load_from') or '')
        merge_options(cfg, argparse.Namespace(config=config, cfg_options=self._merged))
        job = Job(config, folder, [*seed_options(cfg, seed), *self._options])
        if first:
            job.needs = self._add_first_stage(config, source, first['name'], seed)
            job.options.append(f'load_from={job.needs.last_epoch}')
        return job

    def _add_first_stage(self, config: Path, source: Path, name: str, seed: int) -> Job:
        """Add the first stage, under the noise of the second; ``source`` is the latter's config as it was named."""
        named = (path for path in self._named if path.stem == name)
        beside = (path for path in [source.with_name(f'{name}.py')] if path.is_file())
        path = next(itertools.chain(named, beside, self._configs.glob(f'**/{name}.py')), None)
        if path is None:
            raise UserError(
                f'{config} starts from a checkpoint of {name}, but there is no such config: name it, too, or put it '
                'into the same folder'
            )
        return self.add(path, noise_of(config), seed)


def _parse(options: list[str]) -> dict | None:
    """Overrides by their keys, as ``tools/train.py`` will read them."""
    parser = Parser(prog='sweep.py')
    add_config_options(parser)
    return parser.parse_args(['--cfg-options', *options] if options else []).cfg_options
