# SPDX-License-Identifier: Apache-2.0
"""In a training step the host never waits for the device."""

import pytest
import torch
import torch.nn.functional as F
from host_waits import HostWaits
from mmengine.optim import OptimWrapper
from mmpretrain.registry import MODELS
from toy_runs import classifier, elr, m_correction, pencil, tcl

from tcl_plugin.structures import SampleBatch

B = 6
STRONG = [
    dict(type='BatchRandomResizedCrop', size=8, scale=(0.2, 1.0)),
    dict(type='BatchRandomFlip', prob=0.5),
    dict(type='BatchColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, prob=0.8),
    dict(type='BatchRandomGrayscale', prob=0.2),
    dict(type='BatchRandomSolarize', threshold=128, prob=0.5),
]
VIEWS = [
    dict(num_views=1, transforms=[dict(type='BatchRandomCrop', size=8, padding=1)]),
    dict(num_views=2, transforms=STRONG),
]
ON_DEVICE = dict(type='BatchViewDataPreprocessor', views=VIEWS, mean=[127.5] * 3, std=[127.5] * 3)


LINEAR = dict(type='LinearClsHead', num_classes=10, in_channels=16)
LOSSES = dict(
    gce=dict(type='GeneralizedCrossEntropyLoss'),
    sce=dict(type='SymmetricCrossEntropyLoss'),
    forward=dict(type='ForwardCorrectionLoss', num_classes=10),
)
FAST = dict(type='FastImageClassifier')
METHODS = dict(
    tcl=tcl(dropout=0.25, warmup_epochs=0),
    ce=classifier(**FAST),
    mixup=classifier(type='MixupClassifier'),
    elr=elr() | FAST,
    pencil=pencil(warmup_epochs=0) | FAST,
    mcorrection=m_correction(),
    tclmoco=dict(tcl(warmup_epochs=0), type='TCLMoCo', queue_size=32),
    tclensemble=tcl(type='TCLEnsembleHead', warmup_epochs=0),
    tclplus=dict(tcl(), type='TCLPlus', bootstrap_epoch=0),
    **{name: classifier(**FAST, head=dict(LINEAR, loss=loss)) for name, loss in LOSSES.items()},
)


def build(method):
    config = METHODS[method]
    model = MODELS.build(
        config
        | dict(
            data_preprocessor=dict(
                ON_DEVICE, views=VIEWS if method in ('tcl', 'tclmoco', 'tclensemble') else VIEWS[:1]
            )
        )
    )
    if hasattr(model.head, 'set_clean_prob'):
        model.head.set_clean_prob(torch.rand(B))
        model.head.start_epoch(1)
    if hasattr(model.head, 'set_sample_state'):
        model.head.set_sample_state(B)
    if hasattr(model, 'set_labels'):
        model.set_labels(torch.arange(B))
    return model.train()


@pytest.mark.parametrize(('method', 'ask'), [*((name, False) for name in METHODS), ('tcl', True)])
def test_a_step_asks_nothing(method, ask, monkeypatch):
    # The CPU's one_hot asks for the range of its input, and a GPU's does not.
    monkeypatch.setattr(F, 'one_hot', lambda index, size: (index[:, None] == torch.arange(size)).long())
    torch.manual_seed(0)
    model = build(method)
    optim_wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, fused=True))
    images = torch.randint(256, (B, 3, 8, 8), dtype=torch.uint8)
    batch = SampleBatch(torch.arange(B), torch.arange(B))
    if ask:  # what the counter is to find
        loss = model.head.loss
        monkeypatch.setattr(model.head, 'loss', lambda *args, **kwargs: ask_each(loss(*args, **kwargs)))
    on_device = [images, batch.gt_label, *model.parameters(), *model.buffers()]
    for name in ('clean_prob', 'sample_state', 'sample_seen'):
        on_device += [getattr(model.head, name)] if hasattr(model.head, name) else []
    with HostWaits(*on_device) as waits:
        model.train_step(dict(inputs=images, data_samples=batch), optim_wrapper)
    assert waits.found == (['_local_scalar_dense'] * 5 if ask else [])


def ask_each(losses):
    assert all(value.item() < 1e6 for value in losses.values())
    return losses
