# SPDX-License-Identifier: Apache-2.0
"""A pass meets every sample once, in order, and leaves no trace."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from mmpretrain.registry import DATASETS, MODELS
from toy_runs import NUM_TRAIN, PLAIN_PIPELINE, classifier, noisy_digits, tcl

from tcl_plugin.hooks.ordered_pass import represent, run_pass
from tcl_plugin.hooks.pass_loader import build_pass_loader


@pytest.fixture(scope='module')
def dataset():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return DATASETS.build(noisy_digits()).with_pipeline(PLAIN_PIPELINE)


@pytest.fixture(params=['tcl', 'linear'])
def model(request):
    return MODELS.build(tcl() if request.param == 'tcl' else classifier())


def test_batches(model, dataset):
    """The outputs are those of each image alone, whatever head there is."""
    batches = list(run_pass(model, build_pass_loader(dataset, batch_size=16, num_workers=0)))
    assert [len(batch.index) for batch in batches] == [16, 16, 9]
    index, labels = (torch.cat([getattr(batch, name) for batch in batches]) for name in ('index', 'labels'))
    assert index.tolist() == list(range(NUM_TRAIN))
    assert labels.tolist() == dataset.given_labels.tolist()
    model.eval()
    for i in (0, 40):
        data = model.data_preprocessor(dict(inputs=dataset[i]['inputs'][None]))
        feats = model.extract_feat(data['inputs'])
        batch, row = batches[i // 16], i % 16
        torch.testing.assert_close(batch.probs[row], model.head(feats)[0].softmax(dim=0))
        represent = getattr(model.head, 'project', None) or (lambda feats: F.normalize(feats[-1], dim=1))
        torch.testing.assert_close(batch.features[row], represent(feats)[0], rtol=1e-4, atol=1e-5)
        assert not batch.probs.requires_grad and batch.features.dtype == torch.float32


def test_a_head_without_a_vector_of_features():
    head = MODELS.build(dict(type='DeiTClsHead', num_classes=10, in_channels=16))
    with pytest.raises(ValueError, match='DeiTClsHead has no vector of features for each image'):
        represent(head, ((torch.ones(2, 3, 16), torch.ones(2, 16), torch.ones(2, 16)),))


@pytest.mark.parametrize('num_workers', [0, 1])
def test_generators_are_left_alone(dataset, num_workers):
    """With a worker, too: torch draws the seeds of workers from the global generator unless told otherwise."""
    model = MODELS.build(classifier())
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    loader = build_pass_loader(dataset, batch_size=16, num_workers=num_workers)
    for _ in range(2):
        assert sum(len(batch.index) for batch in run_pass(model, loader)) == NUM_TRAIN
    assert torch.equal(torch.get_rng_state(), torch_state)
    after = np.random.get_state()
    assert (after[1] == numpy_state[1]).all() and after[2] == numpy_state[2]


@pytest.mark.parametrize('training', [True, False])
def test_mode_is_restored(model, dataset, training):
    model.train(training)
    loader = build_pass_loader(dataset, batch_size=16, num_workers=0)
    for _ in run_pass(model, loader):
        assert not model.training and not model.backbone.stem_norm.training
    assert model.training == model.backbone.stem_norm.training == training

    class Broken:
        def __iter__(self):
            raise OSError('no such image')

    with pytest.raises(OSError, match='no such image'):
        list(run_pass(model, Broken()))
    assert model.training == training


def test_statistics_stay(model, dataset):
    """Neither weights nor running statistics change."""
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in run_pass(model, build_pass_loader(dataset, batch_size=16, num_workers=0)):
        pass
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
