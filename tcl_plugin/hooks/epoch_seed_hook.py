# SPDX-License-Identifier: Apache-2.0
"""The hook that makes random numbers a function of seed and epoch, so that a stopped run goes on as if it had not."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import IterBasedTrainLoop, Runner
from mmpretrain.registry import HOOKS

from ..compat import unwrap_model
from ..seeding import generator_for, seed_everything
from .conditions import KEY, POSITION, conditions_of, sampler_of, what_has_changed
from .left_aside import what_is_left_aside
from .worker_seeds import WorkerSeeds

# What a seed is for.
TRAINING, LOADING = 0, 1


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed everything at the beginning of each epoch by a function of the run's seed and the epoch's number.

    Whatever has drawn random numbers before (validation, a pass over the training set, the steps of earlier epochs)
    changes nothing in the epoch, and so it makes no difference whether the run has been stopped and resumed. Seeded
    are

    - the global generators of Python, numpy and torch, on all devices, in each process. As in mmengine they are the
      same in all processes, unless the config has ``randomness=dict(diff_rank_seed=True)``: all mix their images
      alike, and drop the same features;
    - the views that :class:`BatchViewDataPreprocessor` cuts, which differ from process to process;
    - what data loader workers draw for a batch, by the epoch and the samples of the batch: it does not matter how
      many workers there are, which of them reads the batch, and whether it has read others before.

    A loop without epochs is seeded at each iteration instead. Its workers have begun before any hook is asked; they
    are left as mmengine seeds them, and mmengine makes them read again what they have read before the stop.

    Nothing of this needs to be in a checkpoint. What is there, under ``conditions``, is what else a run's numbers
    depend on, such as the number of processes: where it is not the same after a resume, one line says so. The seed of
    the sampler is taken from it, as mmengine takes that of the run, whatever the config says now. The optimizer and
    its schedules, too, go on with the settings in the checkpoint, and one line names what the config has otherwise.
    """

    # After all hooks that may draw random numbers, and that may replace the data loader.
    priority = 'LOWEST'

    def __init__(self) -> None:
        self._saved: dict | None = None
        self._conditions: dict = {}
        self._left_aside: list[str] = []
        # The epoch that is trained, and how many of its batches have been.
        self._epoch, self._batches = 0, 0
        self._worker_seeds: WorkerSeeds | None = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep what the checkpoint says of the run that wrote it."""
        self._saved = checkpoint.get(KEY)
        if runner._resume:
            self._left_aside = what_is_left_aside(runner, checkpoint)

    def before_train(self, runner: Runner) -> None:
        """Compare a resumed run with the one that stopped, and prepare the workers."""
        self._conditions = conditions_of(runner)
        self._epoch = runner.epoch
        if runner.iter > 0:
            self._compare(runner)
            # Of a best checkpoint that is saved before the first epoch, by a validation that is made up for.
            self._batches = (self._saved or {}).get(POSITION, (0, 0))[0]
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            loader = runner.train_dataloader
            self._worker_seeds = WorkerSeeds.of(loader, runner.seed)

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed everything for an epoch."""
        # By default its draws come out of torch's global generator, in the first epoch after a start alone where
        # workers stay.
        runner.train_dataloader.generator = generator_for(runner.seed, LOADING, runner.epoch)
        if self._worker_seeds is not None:
            self._worker_seeds.start_epoch(runner.epoch)
        _seed(runner, runner.epoch)
        self._epoch, self._batches = runner.epoch, 0

    def before_train_iter(self, runner: Runner, batch_idx: int, *args: Any, **kwargs: Any) -> None:
        """Seed everything for an iteration of a loop without epochs."""
        self._batches = batch_idx + 1
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            _seed(runner, runner.iter)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Say how the run is made, and where in an epoch it is."""
        checkpoint[KEY] = dict(self._conditions)
        if not isinstance(runner.train_loop, IterBasedTrainLoop):
            within = checkpoint['meta']['epoch'] == self._epoch  # otherwise the epoch is over
            checkpoint[KEY][POSITION] = [self._batches if within else 0, len(runner.train_dataloader)]

    def _compare(self, runner: Runner) -> None:
        saved, sampler = self._saved or {}, sampler_of(runner.train_dataloader)
        if saved.get('sampler_seed') is not None and hasattr(sampler, 'seed'):
            sampler.seed = self._conditions['sampler_seed'] = saved['sampler_seed']
        wanted = (runner.cfg.get('randomness') or {}).get('seed')
        if wanted is not None and wanted != runner.seed:
            runner.logger.warning(
                f'EpochSeedHook: randomness.seed={wanted} is left aside: the run goes on with the seed of the '
                f'checkpoint, {runner.seed}'
            )
        for line in self._left_aside:
            runner.logger.warning(f'EpochSeedHook: {line}')
        changes = what_has_changed(runner, self._saved, self._conditions)
        if changes:
            runner.logger.warning(
                'EpochSeedHook: the resumed run goes on, but no longer bit for bit as it would have without the '
                f'stop: {"; ".join(changes)}'
            )


def _seed(runner: Runner, step: int) -> None:
    seed_everything(runner.seed, TRAINING, step)
    preprocessor: Any = getattr(unwrap_model(runner.model), 'data_preprocessor', None)
    if hasattr(preprocessor, 'seed_views'):
        preprocessor.seed_views(runner.seed, step)
