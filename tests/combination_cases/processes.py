# SPDX-License-Identifier: Apache-2.0
"""Wrappers of the model for several processes."""

from .shop import METHODS, Shop, case
from .workers import train_wrapped


def wrapped(shop: Shop, method: str, **settings) -> str | None:
    """Train in four processes, and return what the first is told."""
    folder = shop.folder / f'{method}-{len(settings)}'
    told = shop.processes()(train_wrapped, str(folder), method, settings)
    assert len({one is None for one in told}) == 1, told
    return told[0]


@case('ddp')
def ddp(shop: Shop) -> None:
    assert [wrapped(shop, method) for method in METHODS] == [None] * 3


@case('ddp-unused')
def ddp_unused(shop: Shop) -> None:
    """As it is without the setting, see ddp-unused-unsaid."""
    told = [wrapped(shop, method, unused=True, find_unused_parameters=True) for method in METHODS]
    assert told == [None] * 3


@case('ddp-unused-unsaid')
def ddp_unused_unsaid(shop: Shop) -> str:
    return wrapped(shop, 'tcl', unused=True)


@case('ddp-static')
def ddp_static(shop: Shop) -> None:
    assert [wrapped(shop, method, static_graph=True) for method in METHODS] == [None] * 3


@case('ddp-accumulation')
def ddp_accumulation(shop: Shop) -> None:
    assert [wrapped(shop, method, accumulative_counts=2) for method in METHODS] == [None] * 3


@case('sync-bn-cpu')
def sync_bn_on_cpu(shop: Shop) -> str:
    return wrapped(shop, 'tcl', sync_bn='torch')


@case('sync-bn-one')
def sync_bn_of_one_process(shop: Shop) -> None:
    """There is nobody to share statistics with, and mmengine leaves the layers as they are."""
    for runner in shop.train_all(sync_bn='torch').values():
        assert not any('SyncBatchNorm' in type(layer).__name__ for layer in runner.model.modules())
