# SPDX-License-Identifier: Apache-2.0
"""Configs of others: nothing in them is run, neither when they are read nor when something is built of them."""

import functools
import sys
from pathlib import Path

import pytest
from mmengine.config import Config
from mmpretrain.registry import MODELS
from toy_runs import classifier, noisy_digits, tcl

from tcl_plugin.datasets import SklearnDigits
from tcl_plugin.foreign_config import TRUST_VARIABLE, admit_config, is_safe_part, name_parts, parse_config
from tcl_plugin.reports import read_config

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
OWN = [path for path in sorted(CONFIGS.glob('**/*.py')) if '_base_' not in path.parts]


def admit(**values) -> None:
    admit_config(values, 'the config in x.pth', 'name another')


def test_own_configs_are_admitted():
    for path in OWN:
        admit_config(Config.fromfile(path).to_dict(), str(path), '')


def test_wrapped_and_scoped_parts_are_admitted():
    admit(
        default_scope='mmpretrain',
        custom_imports=dict(imports='tcl_plugin'),
        tta_model=dict(type='mmpretrain.AverageClsScoreTTA'),
        pipeline=[dict(type='torchvision/RandomCrop', size=8), dict(type='PackInputs')],
        optim_wrapper=dict(type='AmpOptimWrapper', optimizer=dict(type='SGD', lr=0.1)),
        collate_fn=dict(type='default_collate'),
    )


def test_parts_by_class_or_by_path_get_their_names():
    """As pure Python configs have them, and as mmengine writes these down."""
    paths = dict(
        LoadImageFromFile='mmpretrain.datasets.LoadImageFromFile',
        Accuracy='mmpretrain.evaluation.Accuracy',
        TCLHead='tcl_plugin.models.TCLHead',
        SymmetricNoise='tcl_plugin.datasets.noise.SymmetricNoise',
        SGD='torch.optim.SGD',
        default_collate='mmengine.dataset.default_collate',
        PackInputs='mmpretrain.PackInputs',
        TCL='TCL',
    )
    found = dict(parts=[dict(type=path) for path in paths.values()], own=(dict(type=SklearnDigits),))
    name_parts(found)
    assert [part['type'] for part in found['parts']] == list(paths)
    assert found['own'][0]['type'] == 'SklearnDigits'
    admit(**found)


def test_parts_that_share_a_name_keep_apart():
    found = [dict(type=path) for path in ('mmengine.hooks.EMAHook', 'mmpretrain.engine.EMAHook', 'EMAHook')]
    name_parts(dict(custom_hooks=found))
    assert [hook['type'] for hook in found] == ['mmengine.EMAHook', 'mmpretrain.EMAHook', 'EMAHook']


def test_nothing_is_imported_for_a_name(tmp_path, monkeypatch):
    (tmp_path / 'planted.py').write_text('from tcl_plugin.models import TCL')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(MODELS._module_dict, 'Planted', type('Planted', (), {'__module__': 'planted'}))
    found = [dict(type=path) for path in ('planted.TCL', 'os.system', 'Planted', 'mmengine.fileio.load')]
    before = [dict(part) for part in found]
    name_parts(dict(parts=found))
    assert found == before and 'planted' not in sys.modules


@pytest.mark.parametrize(
    'name',
    [
        'os.system',
        'subprocess.run',
        'builtins.exec',
        'torch.hub.load',
        'mmengine.fileio.load',
        'mmengine.config.Config.fromfile',
        'mmengine.load',
        'mmpretrain.apis.model.get_model',
        'tcl_plugin.compat.os.system',
        'mmengine.mmengine.load',
        'antigravity',
        'planted.registry.Model',
        'planted.TCL',
        'TCL.TCL',
    ],
)
def test_other_types_are_refused(name):
    with pytest.raises(ValueError, match=f'the config in x.pth names .{name}., which is no registered part'):
        admit(model=classifier(neck=[dict(a=(dict(type=name),))]))


@pytest.mark.parametrize('key', ['default_scope', '_scope_'])
def test_scopes_of_other_packages(key):
    with pytest.raises(ValueError, match="has the scope 'planted'"):
        admit(model={key: 'planted'})


@pytest.mark.parametrize('name', ['a.pkl', 'b/A.PICKLE', 'c.yaml', 'http://x/d.yml'])
def test_files_that_run_code(name):
    for value in (name, [name], (name,), {name}):
        with pytest.raises(ValueError, match='of a kind that can run code'):
            admit(train_dataloader=dict(dataset=dict(ann_file=value)))


@pytest.mark.parametrize('imports', [['os'], 'tcl_plugin_evil', ['tcl_plugin', 'planted.tcl_plugin'], [None]])
def test_imports(imports):
    with pytest.raises(ValueError, match='would import'):
        admit(custom_imports=dict(imports=imports))


@pytest.mark.parametrize('imports', ['os', ['os'], dict(imports=5), dict(imports=dict(os=1))])
def test_imports_of_another_form(imports):
    with pytest.raises(ValueError, match=r'has custom_imports=.*, which is not dict\(imports='):
        admit(custom_imports=imports)


@pytest.mark.parametrize('dtype', ["float32 if not __import__('os').getpid() else 0", 'load', '_C', 'float32 ', ''])
def test_what_mmpretrain_would_evaluate(dtype):
    admit(pipeline=[dict(type='torchvision/ConvertImageDtype', dtype='float32')])
    with pytest.raises(ValueError, match=r'has dtype=.*, which is none of torch: name another'):
        admit(pipeline=[dict(type='torchvision/ConvertImageDtype', dtype=dtype)])


def test_networks_that_bring_code():
    with pytest.raises(ValueError, match=r"names 'HuggingFaceClassifier', which is no registered part"):
        admit(model=dict(type='HuggingFaceClassifier', model_name='planted/x'))
    with pytest.raises(ValueError, match=r'would run code that comes with a network'):
        admit(model=dict(type='TIMMBackbone', trust_remote_code=True))


def test_numbers_that_are_not_finite():
    found = parse_config('a = dict(b=inf, c=[-inf, nan])')['a']
    assert found['b'] == float('inf') and found['c'][0] == -float('inf') and found['c'][1] != found['c'][1]


def test_registered_parts_of_unknown_homes():
    def fetch():
        pass

    assert is_safe_part(MODELS.get('TCL')) and is_safe_part(functools.partial(MODELS.get('TCL')))
    assert not is_safe_part(fetch) and not is_safe_part(functools.partial(fetch))
    unsafe = (
        'mmpretrain.models.utils.huggingface',
        'mmpretrain.models.multimodal.ram.ram',
        'mmpretrain.datasets.refcoco',
    )
    for home in (*unsafe, 'torchx', 'timm'):
        fetch.__module__ = home
        assert not is_safe_part(fetch)


def test_a_part_that_a_stranger_has_registered(tmp_path, monkeypatch):
    """It is known to the registry, and still not to be built by those who do not trust the run."""
    monkeypatch.setitem(MODELS._module_dict, 'Planted', type('Planted', (), {}))
    with pytest.raises(ValueError, match="names 'Planted'"):
        admit(model=dict(type='Planted'))


@pytest.mark.parametrize(
    'text',
    ['a = ' + '[' * 5000, 'a = ' + '-' * 100_000 + '1', 'a = dict(5)', 'a = {[]: 1}', 'a = 1\0'],
)
def test_texts_that_are_no_configs(text):
    with pytest.raises((ValueError, SyntaxError)):
        parse_config(text)


@pytest.mark.parametrize(
    'value',
    [
        "__import__('pathlib').Path('trace').touch()",
        "[dict(a=open('trace', 'w'))]",
        "{'a': (lambda: open('trace', 'w'))()}",
        "dict([('a', open('trace', 'w'))])",
        "dict(**{'a': open('trace', 'w')})",
        "{**dict(a=open('trace', 'w'))}",
        "'{}'.format(open('trace', 'w'))",
        "[open(name, 'w') for name in ['trace']]",
        'print',
        'tuple(a=1)',
        "dict(**{'b': 1})",
    ],
)
def test_only_literals_are_read(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r'line 2 holds .*, which is no literal'):
        parse_config(f'b = 1\na = {value}')
    assert not Path('trace').exists(), 'code has run'


# Work directories


def test_config_of_a_work_directory_is_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path('my.py').write_text("import pathlib\npathlib.Path('trace').touch()\n")
    with pytest.raises(ValueError, match=r'is not as mmengine writes it .* line 1 is not of the form name = value'):
        read_config(tmp_path)
    Path('my.py').write_text("_base_ = ['other.py']\n")
    with pytest.raises(ValueError, match='has a _base_'):
        read_config(tmp_path)
    assert not Path('trace').exists()


def test_config_that_mmengine_has_written(tmp_path):
    cfg = Config(dict(model=tcl(), train_dataloader=dict(dataset=noisy_digits()), train_cfg=dict(max_epochs=1)))
    cfg.dump(tmp_path / 'my.py')
    name, found = read_config(tmp_path)
    assert name == 'my' and found.to_dict() == cfg.to_dict()


def test_the_owner_of_a_run_may_trust_it(tmp_path, monkeypatch):
    (tmp_path / 'mine.py').write_text('')
    monkeypatch.syspath_prepend(tmp_path)
    run = tmp_path / 'run'
    run.mkdir()
    needed = 'train_cfg = dict()\ntrain_dataloader = dict()\n'
    (run / 'my.py').write_text(f"custom_imports = dict(imports=['mine'])\nmodel = dict(type='Mine')\n{needed}")
    for value in ('', '0'):
        monkeypatch.setenv(TRUST_VARIABLE, value)
        with pytest.raises(ValueError, match=f'would import mine, .*: {TRUST_VARIABLE}=1 in the environment lets it'):
            read_config(run)
    monkeypatch.delenv(TRUST_VARIABLE)
    with pytest.raises(ValueError, match='would import mine'):
        read_config(run)
    assert read_config(run, to_build=False)[1].model.type == 'Mine' and 'mine' not in sys.modules
    monkeypatch.setenv(TRUST_VARIABLE, '1')
    assert read_config(run)[1].model.type == 'Mine' and 'mine' in sys.modules
    monkeypatch.delitem(sys.modules, 'mine')
