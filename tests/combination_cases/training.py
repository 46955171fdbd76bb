# SPDX-License-Identifier: Apache-2.0
"""How weights are stepped, averaged and calculated."""

from pathlib import Path

import torch
from mmengine.hooks import Hook
from torch._dynamo import register_backend
from toy_runs import EMA, hook

from .shop import METHODS, OPTIMIZER, Shop, case, check_trained, weights

MIXUP = dict(augments=dict(type='Mixup', alpha=1.0))


@case('ema')
def ema(shop: Shop) -> None:
    """Passes see the weights that are trained; checkpoints have the averaged ones."""
    plain, averaged = shop.train_all(), shop.train_all(EMA)
    for method in METHODS:
        one, other = plain[method], averaged[method]
        assert torch.equal(weights(one), weights(other))
        if method != 'elr':
            assert torch.equal(one.model.head.clean_prob, other.model.head.clean_prob)
        saved = torch.load(Path(other.work_dir) / 'epoch_2.pth', weights_only=True)
        key = 'backbone.net.1.weight'
        assert torch.equal(saved['ema_state_dict'][f'module.{key}'], other.model.state_dict()[key])
        assert not torch.equal(saved['state_dict'][key], other.model.state_dict()[key])
        # Made of the same samples, but the average has none: neither table is averaged or copied.
        assert not any('clean_prob' in key or 'sample_state' in key for key in saved['ema_state_dict'])


class Steps(Hook):
    """Notes after which iterations weights have moved, at which rate, and in which epoch of the head."""

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self.moved, self.epochs, self.rates = [], [], []
        self.carried = None

    def before_train_epoch(self, runner) -> None:
        if runner.epoch == 1:
            self.after_pass = _gradients(runner)

    def before_train_iter(self, runner, *args, **kwargs) -> None:
        self.before = weights(runner)
        self.rates.append(round(runner.optim_wrapper.get_lr()['lr'][0], 6))

    def after_train_iter(self, runner, *args, **kwargs) -> None:
        self.moved.append(not torch.equal(weights(runner), self.before))
        self.epochs.append(getattr(runner.model.head, 'epoch', None))
        if runner.iter == 2:
            self.carried = _gradients(runner)


def _gradients(runner) -> torch.Tensor:
    return torch.cat([w.grad.flatten().clone() for w in runner.model.parameters() if w.grad is not None])


@case('accumulation')
def accumulation(shop: Shop) -> None:
    """Three iterations an epoch, two a step: a step gathers its gradients from both sides of a pass."""
    schedule = dict(type='LinearLR', start_factor=0.5, by_epoch=False, begin=0, end=6)
    for method in METHODS:
        steps = Steps()
        wrapper = dict(optimizer=OPTIMIZER, accumulative_counts=2)
        runner = shop.runner(method, optim_wrapper=wrapper, param_scheduler=[schedule])
        before = weights(runner)
        runner.register_hook(steps)
        runner.train()
        check_trained(runner, before)
        assert steps.moved == [False, True] * 3
        assert steps.carried.any() and torch.equal(steps.carried, steps.after_pass)
        # Warm-up counts epochs; the schedule counts iterations, those without a step too.
        assert steps.epochs == ([None] * 6 if method == 'elr' else [0, 0, 0, 1, 1, 1])
        assert steps.rates == sorted(set(steps.rates)) and len(steps.rates) == 6


@case('amp-cpu')
def amp_on_cpu(shop: Shop) -> str:
    shop.patch.setattr('mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available', lambda: False)
    return shop.refused('tcl', optim_wrapper=dict(type='AmpOptimWrapper', optimizer=OPTIMIZER))


@case('amp')
def amp(shop: Shop) -> None:
    """mmengine's autocast does work on CPU; only its constructor asks for a GPU."""
    shop.patch.setattr('mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available', lambda: True)
    wrapper = dict(type='AmpOptimWrapper', optimizer=OPTIMIZER, dtype='bfloat16', loss_scale=1.0)
    for method in METHODS:
        runner, met = shop.runner(method, optim_wrapper=wrapper), {True: set(), False: set()}
        layer = runner.model.backbone.net[1]
        layer.register_forward_hook(lambda layer, _, out, met=met: met[layer.training].add(out.dtype))
        before = weights(runner)
        runner.train()
        check_trained(runner, before)
        # In evaluation mode there are the passes of the hook, and one validation.
        assert met == {True: {torch.bfloat16}, False: {torch.float32}}, method


@case('compile')
def compiled(shop: Shop) -> None:
    """With averaging, which copies the model; the same numbers as without."""
    calls = []

    @register_backend(name='counting')
    def counting(graph, inputs):
        calls.append(graph)
        return graph.forward

    for method in ('tcl', 'mcorrection'):
        fast = shop.train(method, EMA, model=dict(compile=dict(backend='counting')))
        assert torch.allclose(weights(fast), weights(shop.train(method, EMA)), atol=1e-5)
    assert calls


@case('mixup')
def mixup(shop: Shop) -> str:
    told = {shop.refused(method, model=dict(train_cfg=MIXUP))[-60:] for method in ('tcl', 'elr')}
    assert len(told) == 1
    return shop.refused('elr', model=dict(train_cfg=MIXUP))


@case('mixup-twice')
def mixup_twice(shop: Shop) -> str:
    return shop.refused('mcorrection', model=dict(train_cfg=MIXUP))


@case('mixup-later')
def mixup_later(shop: Shop) -> str:
    """Before the first step; without a hook that looks, at the first that would lose labels. None switches off."""
    mixup = dict(type='MixupClassifier', head=dict(type='LinearClsHead', num_classes=10, in_channels=16))
    later = dict(type='SwitchRecipeHook', schedule=[dict(action_epoch=2, batch_augments=MIXUP)])
    told = {shop.refused(method, later).split(' ', 1)[1] for method in METHODS}
    assert len(told) == 1
    for hooks in ([hook(None)], []):
        words = shop.refused('mcorrection', later, model=mixup, own_hooks=hooks)
        assert words.startswith('MixupClassifier mixes images itself')
    shop.train('elr', dict(type='SwitchRecipeHook', schedule=[dict(action_epoch=2, batch_augments=None)]))
    return told.pop()
