# SPDX-License-Identifier: Apache-2.0
"""Where cases are made: three methods that carry state, on a network of one layer."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.runner import Runner
from mmpretrain.registry import MODELS
from torch import Tensor, nn
from toy_runs import PLAIN_PIPELINE, THREE_VIEWS, build_runner, elr, hook, m_correction, tcl

from tcl_plugin.compat import unwrap_model
from tcl_plugin.evaluation import TABLE_NAME, read_label_table

CASES: dict[str, Callable[['Shop'], str | None]] = {}
SIZE = 24
OPTIMIZER = dict(type='SGD', lr=0.1)
SHUFFLED = dict(type='DefaultSampler', shuffle=True)
NOISE = dict(type='SymmetricNoise', rate=0.5, seed=0)


def case(name: str) -> Callable:
    """Register a case, which returns None where things work together, and else what it was told."""

    def register(function: Callable) -> Callable:
        assert name not in CASES, name
        CASES[name] = function
        return function

    return register


@MODELS.register_module()
class OneLayer(nn.Module):
    """The smallest backbone with batch statistics: it trains, and compiles, in no time.

    Args:
        unused (bool): Whether to have weights that no loss reaches.
    """

    def __init__(self, unused: bool = False) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(192, 16), nn.BatchNorm1d(16), nn.ReLU())
        self.spare = nn.Linear(2, 2) if unused else None

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.net(images),)


SMALL = dict(backbone=dict(type='OneLayer'), neck=None)
# Model, pipeline and hooks of each method.
METHODS = dict(
    tcl=(tcl, THREE_VIEWS, [hook()]),
    elr=(elr, PLAIN_PIPELINE, [dict(type='SampleStateHook')]),
    mcorrection=(m_correction, PLAIN_PIPELINE, [hook(dict(type='BetaMixtureDetector'))]),
)


def digits(pipeline: list, size: int = SIZE) -> dict:
    """Config of some digits with their own labels."""
    return dict(type='SklearnDigits', split='train', indices=size, pipeline=pipeline)


def noisy(dataset: dict) -> dict:
    """Config of a data set of which half the labels are wrong."""
    return dict(type='NoisyLabelDataset', dataset=dataset, noise=NOISE)


def loader(dataset: dict, **changes) -> dict:
    """Config of a loader of training data."""
    collate = dict(type='default_collate')
    return dict(batch_size=8, num_workers=0, dataset=dataset, sampler=SHUFFLED, collate_fn=collate) | changes


def make(
    work_dir: Path | str,
    method: str,
    *hooks: dict,
    model: dict | None = None,
    around: Callable[[dict], dict] = lambda dataset: dataset,
    loading: dict | None = None,
    size: int = SIZE,
    **changes,
) -> Runner:
    """Build a run of two epochs, the first of them warm-up.

    Args:
        work_dir (Path | str): Its work directory.
        method (str): Name in :data:`METHODS`.
        *hooks (dict): Configs of further hooks.
        model (dict, optional): Entries of the model to replace.
        around (Callable): Wraps the config of the digits before their labels go wrong.
        loading (dict, optional): Entries of the training loader to replace.
        size (int): Number of digits.
        **changes: Entries of the config to replace.

    Returns:
        Runner: The runner.
    """
    build, pipeline, own_hooks = METHODS[method]
    dataset = noisy(around(digits(pipeline, size)))
    changes = dict(optim_wrapper=dict(optimizer=OPTIMIZER), max_epochs=2) | changes
    train = dict(train_dataloader=loader(**({'dataset': dataset} | (loading or {}))))
    own = changes.pop('own_hooks', own_hooks)
    return build_runner(work_dir, build() | SMALL | (model or {}), dataset, *own, *hooks, **(train | changes))


class Shop:
    """Trains the methods of one case.

    Args:
        folder (Path): An empty folder.
        patch (pytest.MonkeyPatch): Changes that are undone after the case.
        processes (Callable): Returns the four processes; see :class:`ProcessGroup`.
    """

    def __init__(self, folder: Path, patch, processes: Callable) -> None:
        self.folder = folder
        self.patch = patch
        self.processes = processes
        self.runs = 0

    def runner(self, method: str, *hooks: dict, **changes) -> Runner:
        """See :func:`make`."""
        self.runs += 1
        return make(self.folder / str(self.runs), method, *hooks, **changes)

    def train(self, method: str, *hooks: dict, **changes) -> Runner:
        """Train a method, and look whether it has come to what it should."""
        runner = self.runner(method, *hooks, **changes)
        before = weights(runner)
        runner.train()
        check_trained(runner, before)
        return runner

    def train_all(self, *hooks: dict, **changes) -> dict[str, Runner]:
        """Train all methods."""
        return {method: self.train(method, *hooks, **changes) for method in METHODS}

    def refused(self, method: str, *hooks: dict, **changes) -> str:
        """Train a method, and return what is said against it."""
        try:
            self.runner(method, *hooks, **changes).train()
        except (ValueError, RuntimeError, AssertionError) as error:
            return ' '.join(str(error).split())
        raise AssertionError(f'{method} has trained')


def weights(runner: Runner) -> Tensor:
    """All weights in one vector."""
    return torch.cat([w.detach().flatten() for w in unwrap_model(runner.model).parameters()]).cpu()


def check_trained(runner: Runner, before: Tensor) -> None:
    """Check that weights have moved, and that what the method knows of samples has a row for each.

    Args:
        runner (Runner): The runner after training.
        before (Tensor): Its weights before.
    """
    after, head = weights(runner), unwrap_model(runner.model).head
    assert after.isfinite().all() and not torch.equal(after, before)
    dataset = runner.train_dataloader.dataset
    if hasattr(head, 'sample_state'):
        met = head.sample_state.sum(dim=1)
        assert met.shape == (len(dataset),) and met.isfinite().all() and head.sample_state.dtype == torch.float32
        # An average of probabilities after n meetings: 1 - 0.7 ** n, so nobody is met without a trace.
        assert (met >= 0.3 - 1e-4).float().mean() > 0.5
        return
    assert head.clean_prob.shape == (len(dataset),) and ((head.clean_prob >= 0) & (head.clean_prob <= 1)).all()
    # So few samples may be without two components: then all labels are trusted.
    assert head.epoch == 1 and (len(head.clean_prob.unique()) > 1 or (head.clean_prob == 1).all())
    table = read_label_table(Path(runner.work_dir) / TABLE_NAME)
    assert np.array_equal(table.sample_idx, np.arange(len(dataset)))
    assert np.array_equal(table.given_label, dataset.given_labels)
    assert np.array_equal(table.true_label, dataset.true_labels)
    assert np.allclose(table.clean_prob, head.clean_prob.cpu(), atol=1e-6)
