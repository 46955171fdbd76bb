# SPDX-License-Identifier: Apache-2.0
"""What each of several processes does in the tests of hooks."""

import numpy as np
import torch
from mmengine.dataset import default_collate
from mmengine.dist import barrier, get_rank
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from torch.utils.data import DataLoader
from toy_runs import PLAIN_PIPELINE, build_runner, classifier, elr, hook, noisy_digits, tcl, watch

from tcl_plugin.cli.runner import watch_loading
from tcl_plugin.compat import unwrap_model
from tcl_plugin.detection import transitions_from_anchors
from tcl_plugin.detection.base import BaseDetector, LocalScores
from tcl_plugin.errors import UserError
from tcl_plugin.hooks.bad_numbers import BadNumbersError
from tcl_plugin.hooks.findings import find
from tcl_plugin.hooks.ordered_pass import PassBatch, run_pass

DDP = dict(type='MMDistributedDataParallel', device_ids=None, broadcast_buffers=False)


def look(model) -> list[np.ndarray]:
    """What the hook has told the head."""
    return [tensor.cpu().numpy().copy() for tensor in (model.head.clean_prob, model.head.prototypes)]


def train(rank: int, work_dir: str, detector: dict, launcher: str = 'pytorch') -> tuple[list, list, bool]:
    """Train an epoch.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.
        detector (dict): Config of the detector.
        launcher (str): ``'none'`` for a run of one process.

    Returns:
        tuple: What the head knew before training and after, and whether there was DDP.
    """
    wrapper = {} if launcher == 'none' else dict(model_wrapper_cfg=DDP)
    detecting = hook(detector, export=True)
    runner = build_runner(work_dir, tcl(warmup_epochs=0), noisy_digits(), detecting, launcher=launcher, **wrapper)
    witness = watch(runner, look)
    return witness.before, look(unwrap_model(runner.model)), is_model_wrapper(runner.model)


def train_elr(rank: int, work_dir: str) -> tuple[list[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """Train an epoch with early-learning regularisation.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.

    Returns:
        tuple: Rows and running averages of each step of this process; and the table after the epoch.
    """
    runner = build_runner(
        work_dir,
        elr(),
        noisy_digits(pipeline=PLAIN_PIPELINE),
        dict(type='SampleStateHook'),
        launcher='pytorch',
        model_wrapper_cfg=DDP,
    )
    head, steps = unwrap_model(runner.model).head, []
    renew = head.renew

    def noting(probs, samples):
        averages = renew(probs, samples)
        steps.append((np.array([sample.sample_idx for sample in samples]), averages.numpy().copy()))
        return averages

    head.renew = noting
    runner.train()
    return steps, head.sample_state.numpy()


def estimate_transitions(rank: int, work_dir: str) -> tuple[np.ndarray, np.ndarray]:
    """Train two epochs with forward correction, and estimate the matrix after the first.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.

    Returns:
        tuple: The matrix that the loss has in the end; and that which this process finds by itself from predictions on
        all samples, by the weights after the first epoch.
    """
    loss = dict(type='ForwardCorrectionLoss', num_classes=10)
    runner = build_runner(
        work_dir,
        classifier(head=dict(type='LinearClsHead', num_classes=10, in_channels=16, loss=loss)),
        noisy_digits(pipeline=PLAIN_PIPELINE),
        dict(type='TransitionMatrixHook', source='anchors', warmup_epochs=1),
        # As in the configs: without it each process would have batch statistics of its own.
        dict(type='SyncBuffersHook', priority='ABOVE_NORMAL'),
        launcher='pytorch',
        model_wrapper_cfg=DDP,
        max_epochs=2,
    )
    alone = AfterFirstEpoch()
    runner.register_hook(alone)
    runner.train()
    return unwrap_model(runner.model).head.loss_module.matrix.numpy(), alone.matrix


class AfterFirstEpoch(Hook):
    """Estimates a matrix as one process would, from all samples."""

    priority = 'LOW'

    def after_train_epoch(self, runner) -> None:
        """Look, once."""
        if runner.epoch > 0:
            return
        dataset = runner.train_dataloader.dataset.with_pipeline(PLAIN_PIPELINE)
        loader = DataLoader(dataset, batch_size=16, collate_fn=default_collate, generator=torch.Generator())
        probs = torch.cat([batch.probs for batch in run_pass(unwrap_model(runner.model), loader)])
        self.matrix = transitions_from_anchors(probs.numpy())


def diverge(rank: int, work_dir: str, bad: dict[int, int], interval: int = 1) -> str:
    """Train until a loss of some process is NaN.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.
        bad (dict[int, int]): Step with a bad loss, by rank.
        interval (int): Steps from look to look.

    Returns:
        str: What is said.
    """
    runner = build_runner(
        work_dir,
        tcl(),
        noisy_digits(70),
        hook(),
        dict(type='BadNumbersHook', interval=interval),
        launcher='pytorch',
        model_wrapper_cfg=DDP,
    )
    head, calls = unwrap_model(runner.model).head, []
    loss = head.loss

    def poisoned(*args, **kwargs):
        calls.append(None)
        losses = loss(*args, **kwargs)
        if len(calls) == bad.get(rank):
            # Without a gradient, which would spread it among the weights of all.
            losses['loss_cross'] = losses['loss_cross'].detach() * float('nan')
        return losses

    head.loss = poisoned
    try:
        runner.train()
    except BadNumbersError as error:
        return str(error)
    return 'went on'


def train_and_resume(rank: int, work_dir: str) -> list[str]:
    """Train two epochs with and without a stop between them.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Folder for both runs.

    Returns:
        list[str]: Names of weights that differ between both runs in this process.
    """

    def build(name: str, **changes):
        views = [dict(num_views=3, transforms=[dict(type='BatchRandomCrop', size=8, padding=1)])]
        preprocessor = dict(type='BatchViewDataPreprocessor', views=views, mean=[127.5] * 3, std=[127.5] * 3)
        return build_runner(
            f'{work_dir}/{name}',
            tcl() | dict(data_preprocessor=preprocessor),
            noisy_digits(pipeline=PLAIN_PIPELINE),
            hook(),
            dict(type='EpochSeedHook'),
            dict(type='SyncBuffersHook', priority='ABOVE_NORMAL'),
            dict(type='ResumeValidationHook'),
            launcher='pytorch',
            model_wrapper_cfg=DDP,
            train_cfg=dict(by_epoch=True, max_epochs=2, val_interval=1),
            **changes,
        )

    whole = build('whole')
    whole.train()
    rest = build('rest', resume=True, load_from=f'{work_dir}/whole/epoch_1.pth')
    rest.train()
    expected = whole.model.state_dict()
    return [name for name, value in rest.model.state_dict().items() if not torch.equal(value, expected[name])]


def resume_apart(rank: int, work_dir: str) -> str:
    """Train an epoch, and resume in the first process alone, as where the second has no such folder.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.

    Returns:
        str: How that is refused.
    """
    settings = dict(launcher='pytorch', model_wrapper_cfg=DDP)
    data = noisy_digits(pipeline=PLAIN_PIPELINE)
    build_runner(work_dir, classifier(), data, **settings).train()
    hooks = (dict(type='EpochSeedHook'), dict(type='ResumeValidationHook'))
    runner = build_runner(work_dir, classifier(), data, *hooks, max_epochs=2, resume=not rank, **settings)
    watch_loading(runner)
    try:
        runner.train()
    except UserError as error:
        return str(error)
    return 'went on'


def train_average(rank: int, work_dir: str, update_buffers: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Train an epoch, with a moving average of the weights.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.
        update_buffers (bool): Whether batch statistics are averaged over the steps, too.

    Returns:
        tuple: Batch statistics of a layer: of the average and of the model in this process, and of the average in the
        checkpoint.
    """
    runner = build_runner(
        work_dir,
        classifier(),
        noisy_digits(pipeline=PLAIN_PIPELINE),
        dict(type='EMAHook', momentum=0.3, update_buffers=update_buffers),
        dict(type='SyncBuffersHook', priority='ABOVE_NORMAL'),
        default_hooks=dict(checkpoint=dict(type='AtomicCheckpointHook', interval=1)),
        launcher='pytorch',
        model_wrapper_cfg=DDP,
    )
    runner.train()
    (average,) = (hook.ema_model.module for hook in runner.hooks if isinstance(hook, EMAHook))
    name = next(name for name, _ in average.named_buffers() if name.endswith('running_mean'))
    models = (average, unwrap_model(runner.model))
    found = [model.state_dict()[name].numpy().copy() for model in models]
    barrier()
    saved = torch.load(f'{work_dir}/epoch_1.pth', weights_only=True)['state_dict'][name].numpy()
    return found[0], found[1], saved


class OwnOpinion(BaseDetector):
    """A detector that finds a little more in each process than in the one before, as if it rounded otherwise."""

    def reset(self):
        """Forget nothing."""

    def update(self, features, probs, labels):
        """Learn nothing."""

    def compute(self):
        """Score the two samples of this process."""
        return LocalScores(torch.tensor([0.25, 0.75]))

    def clean_probability(self, scores, labels, num_classes):
        """The scores, and a hundredth of the rank."""
        return scores + 0.01 * get_rank()


def agree(rank: int) -> np.ndarray:
    """Go through outputs with a detector whose result differs from process to process.

    Args:
        rank (int): Rank of this process.

    Returns:
        np.ndarray: Clean probabilities.
    """
    batch = PassBatch(torch.tensor([rank, rank + 2]), torch.ones(2, 3), torch.full((2, 2), 0.5), torch.zeros(2).long())
    found = find([batch], OwnOpinion(), np.zeros(4), 2).clean_prob
    assert found is not None
    return found


def refuse_outputs(rank: int) -> str | None:
    """Go through outputs of which one prediction of the second process is bad.

    Args:
        rank (int): Rank of this process.

    Returns:
        str, optional: How they are refused.
    """
    probs = torch.full((2, 2), 0.5)
    if rank == 1:
        probs[1] = float('nan')
    labels = torch.zeros(2, dtype=torch.int64)
    try:
        find([PassBatch(torch.tensor([rank, rank + 2]), torch.ones(2, 3), probs, labels)], None, np.zeros(4), 2)
    except BadNumbersError as error:
        return str(error)


def train_with_held_out(rank: int, work_dir: str) -> tuple[float, float]:
    """Train an epoch, and validate on images held out.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.

    Returns:
        tuple: Accuracy on these by all processes together, and by this one alone, in per cent.
    """
    data = dict(noisy_digits(pipeline=PLAIN_PIPELINE), held_out=0.32)
    return _train_and_count(work_dir, classifier(), data, AgreementAlone(), dict(type='HeldOutHook'))


def _train_and_count(work_dir: str, model: dict, dataset: dict, alone: Hook, *hooks: dict) -> tuple[float, float]:
    """Train and validate an epoch; what was found, and what a hook has counted in this process alone."""
    runner = build_runner(
        work_dir,
        model,
        dataset,
        *hooks,
        dict(type='SyncBuffersHook', priority='ABOVE_NORMAL'),
        launcher='pytorch',
        model_wrapper_cfg=DDP,
        train_cfg=dict(by_epoch=True, max_epochs=1, val_interval=1),
    )
    runner.register_hook(alone)
    runner.train()
    return alone.found[0], alone.counted[0]


class AgreementAlone(Hook):
    """Notes at each validation what was found of the images held out, and counts the same in this process alone."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.found: list[float] = []
        self.counted: list[float] = []

    def after_val_epoch(self, runner, metrics=None) -> None:
        """Note and count."""
        dataset = runner.train_dataloader.dataset.held_out_part().with_pipeline(PLAIN_PIPELINE)
        loader = DataLoader(dataset, batch_size=5, collate_fn=default_collate, generator=torch.Generator())
        batches = list(run_pass(unwrap_model(runner.model), loader))
        agree = torch.cat([batch.probs.argmax(1) == batch.labels for batch in batches])
        self.found.append(metrics['held_out/accuracy/top1'])
        self.counted.append(100 * agree.float().mean().item())


def train_with_neighbors(rank: int, work_dir: str) -> tuple[float, float]:
    """Train an epoch, and let nearest neighbours vote on the validation set.

    Args:
        rank (int): Rank of this process.
        work_dir (str): Work directory of the run.

    Returns:
        tuple: Accuracy by all processes together, and by this one alone, in per cent.
    """
    neighbors = dict(k=5, temperature=0.1)
    voting = dict(type='KNNAccuracyHook', **neighbors)
    return _train_and_count(work_dir, tcl(), noisy_digits(), NeighborsAlone(**neighbors), hook(), voting)


class NeighborsAlone(Hook):
    """Notes at each validation how neighbours voted, and counts the same from a table of all similarities.

    Args:
        k (int): Number of neighbours.
        temperature (float): Temperature of their votes.
    """

    priority = 'LOWEST'

    def __init__(self, k: int, temperature: float) -> None:
        self.k, self.temperature = k, temperature
        self.found: list[float] = []
        self.counted: list[float] = []

    def after_val_epoch(self, runner, metrics=None) -> None:
        """Note and count."""
        trained = _outputs(runner, runner.train_dataloader.dataset.with_pipeline(PLAIN_PIPELINE))
        asked = _outputs(runner, runner.val_dataloader.dataset)
        similarity = asked[0] @ trained[0].T
        right = 0
        for row, label in zip(similarity, asked[1], strict=True):
            votes = np.zeros(10)
            for place in np.argsort(-row)[: self.k]:
                votes[trained[1][place]] += np.exp(row[place] / self.temperature)
            right += votes.argmax() == label
        self.found.append(metrics['knn/accuracy/top1'])
        self.counted.append(100 * right / len(similarity))


def _outputs(runner, dataset) -> tuple[np.ndarray, np.ndarray]:
    """Representations, as precise as the hook keeps them, and labels of a data set."""
    loader = DataLoader(dataset, batch_size=5, collate_fn=default_collate, generator=torch.Generator())
    batches = list(run_pass(unwrap_model(runner.model), loader))
    rows = torch.cat([batch.features for batch in batches]).half().double().numpy()
    return rows, torch.cat([batch.labels for batch in batches]).numpy()
