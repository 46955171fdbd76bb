# SPDX-License-Identifier: Apache-2.0
"""mmpretrain knows the configs by name."""

import warnings

import mmpretrain
import pytest
import torch
import yaml
from test_tools.toolbox import ROOT

from tcl_plugin import compat, zoo
from tcl_plugin.models import TCL

# tools/train.py settles what they leave open, so that no model can be built of them as they are.
OPEN = {'tcl_r50_csv', 'tcl_r50_folder'}


def names_of_configs():
    return sorted(path.stem for path in (ROOT / 'configs').rglob('*.py') if '_base_' not in path.parts)


def test_every_config_is_listed():
    names = [name for name in names_of_configs() if name not in OPEN]
    assert not OPEN & set(mmpretrain.list_models())
    assert set(names) <= set(mmpretrain.list_models())
    assert mmpretrain.list_models('tcl*') == [name for name in names if name.startswith('tcl')]
    # Those with results, which alone mmpretrain takes for classifiers.
    measured = mmpretrain.list_models('tcl*', task='Image Classification')
    assert 'tcl_digits_sym80' in measured and 'tcl_r18_cifar10_sym90' not in measured


def test_models_are_built_by_name():
    model = mmpretrain.get_model('tcl_r18_cifar10_sym90')
    assert isinstance(model, TCL) and model.head.num_classes == 10
    assert model._metainfo.results is None and model._dataset_meta['classes'][0] == 'airplane'
    with pytest.warns(UserWarning, match='Unable to find pre-defined checkpoint of the model'):
        assert isinstance(mmpretrain.get_model('tclmoco_digits_sym80', pretrained=True), TCL)


@pytest.mark.parametrize('method', ['tcl', 'tclmoco', 'tclplus', 'mixup', 'mcorrection'])
def test_feature_extractors(method):
    """Without a head what comes out is what the neck makes; there is less to compile."""
    model = mmpretrain.get_model(f'{method}_digits_sym80', head=None, compile=dict(backend='eager')).eval()
    model.init_weights()
    images = torch.zeros(2, 3, 12, 12)
    assert torch.equal(model(images)[0], model.extract_feat(images)[0]) and model(images)[0].shape == (2, 64)


def test_index_lies_in_the_package_or_round_it(tmp_path):
    package = tmp_path / 'tcl_plugin'
    assert zoo.find_index(package) is None
    (tmp_path / 'model-index.yml').touch()
    assert zoo.find_index(package) == tmp_path / 'model-index.yml'
    (package / '.mim').mkdir(parents=True)
    (package / '.mim' / 'model-index.yml').touch()
    assert zoo.find_index(package) == package / '.mim' / 'model-index.yml'
    assert zoo.find_index().is_file()


@pytest.fixture
def hub(monkeypatch):
    """An empty hub in the place of mmpretrain's."""

    class Hub(zoo.ModelHub):
        _models_dict = {}
        asked = 0

        @classmethod
        def _register_mmpretrain_models(cls):
            Hub.asked += 1

    monkeypatch.setattr(zoo, 'ModelHub', Hub)
    monkeypatch.setattr(compat, 'ModelHub', Hub)
    return Hub


def write_index(folder, *models, imports='part/metafile.yml'):
    (folder / 'part').mkdir()
    (folder / 'model-index.yml').write_text(yaml.safe_dump(dict(Import=[imports])))
    (folder / 'part' / 'metafile.yml').write_text(yaml.safe_dump(dict(Models=list(models))))
    return folder / 'model-index.yml'


def test_paths_of_configs_start_at_the_index(hub, tmp_path):
    zoo.register_configs(write_index(tmp_path, dict(Name='one', Config='part/one.py')))
    assert hub._models_dict['one'].config == str(tmp_path / 'part' / 'one.py')


@pytest.mark.parametrize(
    ('collection', 'imports', 'message'),
    [
        (None, 'part/gone.yml', r'model-index\.yml: .*gone\.yml'),
        ('none', 'part/metafile.yml', 'Invalid collection name `none`'),
    ],
)
def test_a_broken_index_is_told(collection, imports, message, hub, tmp_path):
    index = write_index(tmp_path, {'Name': 'one', 'In Collection': collection}, imports=imports)
    with pytest.raises(RuntimeError, match=message):
        zoo.register_configs(index)
    assert not hub._models_dict


def test_a_missing_index_is_told(hub):
    with pytest.warns(UserWarning, match=r'was installed without its configs \(model-index\.yml\)'):
        zoo.register_configs(None)


def test_nothing_is_read_before_a_model_is_looked_for(hub):
    calls, failures = [], [ValueError('broken'), ValueError('still broken')]

    def register():
        calls.append(hub.asked)
        if failures:
            raise failures.pop(0)

    compat.before_model_lookup(register)
    assert not calls
    for message in ('^broken', 'still broken'):
        with pytest.raises(ValueError, match=message):
            hub._register_mmpretrain_models()
    hub._register_mmpretrain_models()
    hub._register_mmpretrain_models()
    # mmpretrain's own come first, each time.
    assert calls == [1, 2, 3] and hub.asked == 4


def test_without_a_place_to_wait_in_configs_are_registered_at_once(monkeypatch):
    monkeypatch.setattr(compat, 'ModelHub', type('Hub', (), {}))
    calls = []
    compat.before_model_lookup(lambda: calls.append(1))
    assert calls == [1]


def test_the_real_hub_still_looks_that_way():
    """Otherwise every import of this package would read all metafiles."""
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        assert mmpretrain.apis.model.ModelHub._register_mmpretrain_models.__module__ == compat.__name__
