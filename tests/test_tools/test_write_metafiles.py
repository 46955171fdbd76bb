# SPDX-License-Identifier: Apache-2.0
"""The metafiles list every config once, and claim nothing that was not measured."""

import re

import pytest
import yaml
from mmengine.config import Config
from toolbox import ROOT, load_file

from tcl_plugin.errors import UserError

PAGE = """
# Results

sym80 gives 80 % a random class.

## Digits

one image is 0.28 %, sym80: 71.6 % of the labels are wrong

| | config | last (%) | best (%) | AUC |
|---|---|---|---|---|
| TCL | `tcl` | 96.0 ± 0.4 | 96.5 ± 0.0 | 0.986 |
| mixup | `mixup` | not measured yet | | |
| others | | not measured | | |

| seed | last | best | fitted |
|---|---|---|---|
| 0 | 78.9 % | 79.7 % | 8.1 % |

## Fashion-MNIST, 6,000 images

sym80: 71.5 % of the labels are wrong.

| | config | last (%) | best (%) |
|---|---|---|---|
| ELR | `elr` | 78.6 | 78.7 |

asym40: 20 % of the labels are wrong.

| | config | last (%) | best (%) |
|---|---|---|---|
| ELR | `elr` | 70.0 | 71.0 |

## CIFAR

| | config | last (%) | best (%) |
|---|---|---|---|
| TCL, published | `tcl` | 95.0 | 95.0 |
"""


@pytest.fixture(scope='module')
def tool():
    return load_file(ROOT / 'tools' / 'write_metafiles.py')


@pytest.fixture(scope='module')
def metafiles():
    """All metafiles, read; by their paths under the root."""
    paths = sorted((ROOT / 'configs').rglob('metafile.yml'))
    return {path.relative_to(ROOT): yaml.safe_load(path.read_text(encoding='utf-8')) for path in paths}


@pytest.fixture(scope='module')
def models(metafiles):
    return [model for content in metafiles.values() for model in content['Models']]


def test_files_are_as_the_tool_writes_them(tool):
    for path, text in tool.make_files(ROOT).items():
        assert (ROOT / path).read_text(encoding='utf-8') == text, f'{path} is out of date: run {tool.COMMAND}'


def test_every_config_is_listed_once(metafiles, models):
    configs = {p.relative_to(ROOT).as_posix() for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts}
    configs -= {'configs/tcl_r50_csv.py', 'configs/tcl_r50_folder.py'}  # no model can be built of them as they are
    listed = [model['Config'] for model in models]
    assert len(listed) == len(set(listed)) and set(listed) == configs
    assert all(model['Config'].endswith(f'/{model["Name"]}.py') for model in models)
    names = [model['Name'].lower() for model in models]
    assert len(names) == len(set(names))
    imports = yaml.safe_load((ROOT / 'model-index.yml').read_text(encoding='utf-8'))['Import']
    assert sorted(imports) == sorted(path.as_posix() for path in metafiles)


def test_nothing_is_claimed_that_the_page_does_not_say(models):
    page = (ROOT / 'docs' / 'results.md').read_text(encoding='utf-8')
    claims = [model for model in models if 'Results' in model]
    assert len(claims) > 20 and not [model['Name'] for model in claims if 'cifar' in model['Name']]
    for model in claims:
        (result,) = model['Results']
        last, best = result['Metrics'].values()
        row = rf'\| `{model["Name"].split("_")[0]}` \| {last}( ± [\d.]+)? \| {best}( |\b)'
        assert list(result['Metrics']) == ['Top 1 Accuracy', 'Best Top 1 Accuracy'] and last <= best
        assert re.search(row, page), model['Name']


def test_collections(metafiles):
    for content in metafiles.values():
        collections = {collection['Name']: collection for collection in content['Collections']}
        assert set(collections) == {model['In Collection'] for model in content['Models']}
        assert all((ROOT / collection['Code']).is_file() for collection in collections.values())


def test_architectures_are_those_of_the_configs(models):
    """One config for each."""
    kinds = {model['Metadata']['Architecture']: model['Config'] for model in models}
    assert len(kinds) == 9
    for architecture, config in kinds.items():
        backbone = Config.fromfile(ROOT / config).model.backbone
        name = {'TIMMBackbone': 'Inception-ResNet-v2', 'VisionTransformer': 'Vision Transformer'}.get(
            backbone.type, backbone.type.removesuffix('_CIFAR')
        )
        width = backbone.get('base_channels', 64)
        assert architecture.startswith(name + (f'-{backbone.depth}' if 'depth' in backbone else ''))
        assert architecture.endswith(f'of width {width}') == (width != 64)


def test_results_are_read_from_the_page(tool):
    accuracies = ('Top 1 Accuracy', 'Best Top 1 Accuracy')
    assert tool.read_results(PAGE) == {
        'tcl_digits_sym80': dict(zip(accuracies, (96.0, 96.5), strict=True)),
        'elr_r18w16_fmnist6k_sym80': dict(zip(accuracies, (78.6, 78.7), strict=True)),
        'elr_r18w16_fmnist6k_asym40': dict(zip(accuracies, (70.0, 71.0), strict=True)),
    }


@pytest.mark.parametrize(('old', 'new'), [('## Digits', '## Numerals'), ('last (%)', 'accuracy'), ('sym80: ', '')])
def test_a_page_of_another_form_is_refused(old, new, tool):
    with pytest.raises(UserError, match=r"docs/results\.md has no section 'Digits' with a table of last \(%\), best"):
        tool.read_results(PAGE.replace(old, new))


@pytest.mark.parametrize(
    ('name', 'metadata'),
    [
        ('tcl_digits_sym80', ("scikit-learn's digits", 'PreActResNet-18 of width 8', 'sym80')),
        ('tclknn_r18w16_fmnist6k_sym80', ('Fashion-MNIST, 6,000 images', 'PreActResNet-18 of width 16', 'sym80')),
        ('tcl_r18_cifar10_sym30_open30', ('CIFAR-10', 'PreActResNet-18', 'sym30_open30')),
        ('tcl_irv2_webvision_ilsvrc12', ('mini-WebVision', 'Inception-ResNet-v2', None)),
    ],
)
def test_names(name, metadata, tool):
    method, found = tool.read_name(name)
    assert name.startswith(f'{method}_')
    assert tuple(found.get(key) for key in ('Training Data', 'Architecture', 'Label Noise')) == metadata


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('xyz_digits_sym80', "does not know the method 'xyz'"),
        ('tcl_r18_stl10_sym80', "does not know the data 'stl10'"),
        ('tcl_r50_digits', "does not know the network 'r50' for scikit-learn's digits"),
        ('tcl', "does not know the data ''"),
    ],
)
def test_names_that_say_nothing(name, message, tool):
    with pytest.raises(UserError, match=message):
        tool.read_name(name)


def test_where_there_is_no_page(tool, workplace, monkeypatch, capsys):
    """As in an installed package."""
    monkeypatch.setattr(tool, 'ROOT', workplace)
    assert tool.main([]) == 2
    assert 'docs/results.md' in capsys.readouterr().err
