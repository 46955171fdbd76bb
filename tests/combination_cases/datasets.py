# SPDX-License-Identifier: Apache-2.0
"""What lies inside the wrapper of noisy labels, and how it is loaded."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpretrain.registry import DATASETS, TRANSFORMS

from .shop import METHODS, Shop, case, digits, noisy

BALANCED = dict(type='ClassBalancedSubsetSampler', num_samples=20)
HELD_OUT = dict(type='HeldOutHook')
NEIGHBORS = dict(type='KNNAccuracyHook')
VALIDATED = dict(by_epoch=True, max_epochs=2, val_interval=1)


def check_aligned(runner: Runner, size: int, distinct: int) -> np.ndarray:
    """Check that each sample has its own index, and its image's own labels.

    Args:
        runner (Runner): The runner.
        size (int): Number of samples.
        distinct (int): Number of distinct images.

    Returns:
        np.ndarray: Which digit each sample is, shape (N,).
    """
    dataset = runner.train_dataloader.dataset.with_pipeline([dict(type='PackInputs')])
    plain = DATASETS.build(digits([]))
    pixels = [plain[i]['img'].tobytes() for i in range(len(plain))]
    assert len(set(pixels)) == len(pixels)
    items = [dataset[i] for i in range(len(dataset))]
    assert [item['data_samples'].sample_idx for item in items] == list(range(size))
    which = np.array([pixels.index(item['inputs'].permute(1, 2, 0).numpy().tobytes()) for item in items])
    assert len(set(which)) == distinct
    assert np.array_equal(dataset.true_labels, np.array([plain[i]['gt_label'] for i in which]))
    assert np.array_equal(dataset.given_labels, [int(item['data_samples'].gt_label) for item in items])
    for image in set(which):
        assert len(set(dataset.given_labels[which == image])) == 1, f'copies of digit {image} disagree'
    assert 0 < dataset.noise_rate < 1
    return which


def wrapped(shop: Shop, size: int | None, distinct: int, around) -> np.ndarray:
    """Train all methods on a wrapper, and check how it numbers samples."""
    for method in METHODS:
        runner = shop.train(method, around=around)
        which = check_aligned(runner, size or len(runner.train_dataloader.dataset), distinct)
    return which


@case('repeat')
def repeat(shop: Shop) -> None:
    which = wrapped(shop, 48, 24, lambda inner: dict(type='RepeatDataset', times=2, dataset=inner))
    assert np.array_equal(which[:24], which[24:])


@case('concat')
def concat(shop: Shop) -> None:
    """The second half has labels, and noise, of its own; its indices go on."""
    which = wrapped(shop, 24, 24, lambda inner: dict(type='ConcatDataset', datasets=_halves(inner)))
    assert np.array_equal(which, [*range(12, 24), *range(12)])


@case('concat-twice')
def concat_twice(shop: Shop) -> None:
    """Two data sets of the same images are two: they get noise of their own."""
    around = dict(around=lambda inner: dict(type='ConcatDataset', datasets=[inner, inner]))
    for runner in shop.train_all(**around).values():
        dataset = runner.train_dataloader.dataset
        assert len(dataset) == 48 and np.array_equal(dataset.true_labels[:24], dataset.true_labels[24:])
        assert not np.array_equal(dataset.given_labels[:24], dataset.given_labels[24:])


def _halves(inner: dict) -> list[dict]:
    return [dict(inner, indices=list(range(12, 24))), dict(inner, indices=list(range(12)))]


@case('class-balanced')
def class_balanced(shop: Shop) -> None:
    which = wrapped(shop, None, 24, lambda inner: dict(type='ClassBalancedDataset', oversample_thr=0.2, dataset=inner))
    assert len(which) > 24


@case('k-fold')
def k_fold(shop: Shop) -> None:
    """An image has one label in all folds, on either side of each."""
    given = DATASETS.build(noisy(digits([]))).given_labels
    for fold, size in ((0, 20), (4, 19)):
        around = dict(type='KFoldDataset', num_splits=5, fold=fold, seed=0)
        which = wrapped(shop, size, size, lambda inner, around=around: dict(around, dataset=inner))
        test = DATASETS.build(noisy(dict(around, dataset=digits([]), test_mode=True)))
        train = DATASETS.build(noisy(dict(around, dataset=digits([]))))
        assert np.array_equal(train.image_index, which) and not np.array_equal(which, np.arange(size))
        assert sorted([*which, *test.image_index]) == list(range(24))
        for part in (train, test):
            assert np.array_equal(part.given_labels, given[part.image_index])


@case('held-out')
def held_out(shop: Shop) -> None:
    for method, (_, pipeline, _) in METHODS.items():
        data = dict(noisy(digits(pipeline)), held_out=0.25)
        runner = shop.train(method, HELD_OUT, NEIGHBORS, loading=dict(dataset=data), train_cfg=VALIDATED)
        which = check_aligned(runner, 18, 18)
        held = runner.train_dataloader.dataset.held_out_part()
        assert sorted([*which, *held.image_index]) == list(range(24))
        assert runner.message_hub.get_scalar('val/held_out/accuracy/top1').current() >= 0
        assert runner.message_hub.get_scalar('val/knn/accuracy/top1').current() >= 0


@case('outside')
def outside(shop: Shop) -> str:
    data = dict(dataset=dict(type='RepeatDataset', times=2, dataset=noisy(digits([]))))
    return shop.refused('tcl', loading=data)


@case('k-fold-outside')
def k_fold_outside(shop: Shop) -> str:
    return shop.refused('tcl', loading=dict(dataset=dict(type='KFoldDataset', fold=0, dataset=noisy(digits([])))))


@case('workers')
def workers(shop: Shop) -> None:
    """Two epochs with the same workers know what the hook has told in between: it tells the head, not the data."""
    for method in METHODS:
        runner = shop.train(method, loading=dict(num_workers=1, persistent_workers=True))
        # Otherwise whenever garbage is collected, which then waits.
        runner.train_dataloader._iterator._shutdown_workers()


@case('subset-sampler')
def subset_sampler(shop: Shop) -> None:
    """Passes see all samples, also those that no epoch has drawn."""
    for method, runner in shop.train_all(loading=dict(sampler=BALANCED)).items():
        assert runner.iter == 2 * 3, method
        assert len(runner.train_dataloader.sampler) == 20 < len(runner.train_dataloader.dataset)


@TRANSFORMS.register_module()
class Blacken(BaseTransform):
    """Makes an image that no one could mistake for another pipeline's."""

    def transform(self, results: dict) -> dict:
        return results | dict(img=np.zeros_like(results['img']))


class Brightness(Hook):
    """Notes the brightest pixel of each batch."""

    def __init__(self) -> None:
        self.found = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        inputs = data_batch['inputs']
        self.found.append(max(int(view.max()) for view in (inputs if isinstance(inputs, list) else [inputs])))


@case('switch-pipeline')
def switch_pipeline(shop: Shop) -> None:
    """Black images from the second epoch on, also where the hook would keep the others on the device."""
    for method, (_, pipeline, _) in METHODS.items():
        recipe = dict(action_epoch=2, train_pipeline=[dict(type='Blacken'), *pipeline])
        runner = shop.runner(method, dict(type='ResidentDataHook'), dict(type='SwitchRecipeHook', schedule=[recipe]))
        brightness = Brightness()
        runner.register_hook(brightness)
        runner.train()
        assert min(brightness.found[:3]) > 0 and brightness.found[3:] == [0, 0, 0], method
