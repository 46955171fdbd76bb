# SPDX-License-Identifier: Apache-2.0
"""Loops of training and evaluation, and views."""

from pathlib import Path

from toy_runs import CROP, PLAIN_PIPELINE, THREE_VIEWS, hook

from .shop import METHODS, Shop, case

BY_ITERATION = dict(train_cfg=dict(type='IterBasedTrainLoop', max_iters=4, val_interval=100))
NO_VALIDATION = dict(val_dataloader=None, val_evaluator=None, val_cfg=None)


@case('iterations')
def iterations(shop: Shop) -> str:
    told = {shop.refused(method, **BY_ITERATION).split(' ', 1)[1] for method in METHODS}
    assert len(told) == 1
    return shop.refused('tcl', **BY_ITERATION)


@case('no-validation')
def no_validation(shop: Shop) -> None:
    """The pass has a pipeline of its own; ELR needs none."""
    for method, detector in dict(tcl='OODDetector', mcorrection='BetaMixtureDetector').items():
        own = [hook(dict(type=detector), pipeline=PLAIN_PIPELINE)]
        runner = shop.train(method, own_hooks=own, **NO_VALIDATION)
        assert runner.val_loop is None and (Path(runner.work_dir) / 'epoch_2.pth').exists()
    shop.train('elr', **NO_VALIDATION)


@case('no-validation-no-pipeline')
def no_validation_no_pipeline(shop: Shop) -> str:
    return shop.refused('tcl', **NO_VALIDATION)


def on_device(shop: Shop) -> dict:
    """Let whole images of TCL come in, and the model's data preprocessor cut the views."""
    crop = [dict(type='BatchRandomCrop', size=8, padding=1)]
    views = [dict(transforms=crop), dict(num_views=2, transforms=crop)]
    shop.patch.setitem(METHODS, 'tcl', (METHODS['tcl'][0], PLAIN_PIPELINE, METHODS['tcl'][2]))
    return dict(type='BatchViewDataPreprocessor', views=views, mean=[127.5] * 3, std=[127.5] * 3)


@case('views-on-device')
def views_on_device(shop: Shop) -> None:
    shop.train('tcl', model=dict(data_preprocessor=on_device(shop)))


@case('precise-bn')
def precise_bn(shop: Shop) -> None:
    """Statistics of batch normalisation are made anew after each epoch, on the training set."""
    shop.train('tcl', dict(type='PreciseBNHook', num_samples=16))
    models = dict(tcl=dict(data_preprocessor=on_device(shop)), elr={}, mcorrection={})
    for method, model in models.items():
        shop.train(method, dict(type='ResidentDataHook'), dict(type='PreciseBNHook', num_samples=16), model=model)


@case('two-views')
def two_views(shop: Shop) -> str:
    views = dict(type='MultiView', num_views=[1, 1], transforms=[[CROP], [CROP]])
    shop.patch.setitem(METHODS, 'tcl', (METHODS['tcl'][0], [views, THREE_VIEWS[-1]], METHODS['tcl'][2]))
    return shop.refused('tcl')
