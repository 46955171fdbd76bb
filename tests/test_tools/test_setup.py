# SPDX-License-Identifier: Apache-2.0
"""What gets installed."""

import re
import runpy
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from setuptools import Distribution
from setuptools.command.build_py import build_py
from setuptools.command.egg_info import FileList
from toolbox import ROOT, load_file

from tcl_plugin.zoo import find_index

NAMES = ('runtime', 'mminstall', 'onedl', 'tests', 'optional', 'docs')


@pytest.fixture(scope='module')
def setup_file():
    return load_file(ROOT / 'setup.py')


def test_every_requirement_can_be_read(setup_file):
    for name in NAMES:
        lines = setup_file.parse_requirements(name)
        assert lines and all(Requirement(line).name for line in lines)


def test_extras(setup_file):
    extras = setup_file.extras()
    assert set(extras) == {'mminstall', 'onedl', 'tests', 'optional', 'docs', 'all'}
    assert set(extras['tests']) <= set(extras['all'])


def test_frameworks_never_come_together(setup_file):
    """OpenMMLab's releases and the OneDL forks share module names: nothing may bring both."""
    extras = setup_file.extras()
    modules = {name: {Requirement(line).name.removeprefix('onedl-') for line in extras[name]} for name in ('onedl',)}
    framework = {Requirement(line).name.removesuffix('-lite') for line in extras['mminstall']}
    assert modules['onedl'] == framework == {'mmcv', 'mmengine', 'mmpretrain'}
    everyone = setup_file.parse_requirements('runtime') + extras['all']
    assert not [line for line in everyone if re.match(r'(onedl-)?mm', line)]


def test_no_package_is_pinned_twice(setup_file):
    names = [Requirement(line).name for name in NAMES for line in setup_file.parse_requirements(name)]
    assert len(names) == len(set(names))


def test_pins_admit_what_is_installed(setup_file):
    for name in ('runtime', 'tests'):
        for line in setup_file.parse_requirements(name):
            requirement = Requirement(line)
            assert requirement.specifier.contains(metadata.version(requirement.name), prereleases=True), line


def test_the_oldest_releases_are_those_of_the_bounds(setup_file):
    """What ``make test-oldest`` tries must be what the requirements admit, and nothing later."""
    pinned = {}
    for line in map(Requirement, setup_file.parse_requirements('oldest')):
        (pin,) = line.specifier
        assert pin.operator == '==', line
        pinned[line.name] = Version(pin.version)
    bounds = {}
    for name in set(NAMES) - {'onedl'}:
        for line in map(Requirement, setup_file.parse_requirements(name)):
            (lowest,) = [part.version for part in line.specifier if part.operator == '>=']
            bounds[line.name] = Version(lowest)
    assert pinned == bounds


def test_version(setup_file):
    from tcl_plugin import version

    assert setup_file.read_version() == version.__version__
    assert f'version: {version.__version__}' in (ROOT / 'CITATION.cff').read_text()


def test_templates_are_installed(setup_file, monkeypatch, tmp_path):
    """What is no Python goes into the package too; built in a folder of its own."""
    monkeypatch.chdir(ROOT)
    distribution = Distribution(
        dict(
            script_name='setup.py',
            packages=['tcl_plugin', 'tcl_plugin.reports.audit'],
            package_data=captured_arguments(setup_file, monkeypatch)['package_data'],
        )
    )
    command = build_py(distribution)
    command.build_lib = str(tmp_path)
    command.ensure_finalized()
    command.run()
    folder = tmp_path / 'tcl_plugin' / 'reports' / 'audit'
    assert {'page.html', 'page.css', 'page.js'} <= {path.name for path in folder.iterdir()}
    # Without it no program that uses the package would look at its types (PEP 561).
    assert (tmp_path / 'tcl_plugin' / 'py.typed').is_file()


def build_mim(setup_file, folder, editable=False):
    """Run the command that installs configs and tools, without the package."""
    command = setup_file.BuildWithMim(Distribution(dict(script_name='setup.py')))
    command.build_lib, command.editable_mode = str(folder), editable
    command.ensure_finalized()
    command.run()
    return command


def test_a_wheel_has_configs_and_tools(setup_file, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    before = (ROOT / 'tcl_plugin' / '.mim').exists()
    command = build_mim(setup_file, tmp_path)
    assert (ROOT / 'tcl_plugin' / '.mim').exists() == before
    root = tmp_path / 'tcl_plugin' / '.mim'
    for name in ('configs', 'tools'):
        there, here = ({p.relative_to(r) for p in (r / name).rglob('*.*')} for r in (root, ROOT))
        assert there == {path for path in here if '__pycache__' not in path.parts}
    text = (root / 'configs' / 'tcl_digits_sym80.py').read_text()
    assert text == (ROOT / 'configs' / 'tcl_digits_sym80.py').read_text()
    assert find_index(tmp_path / 'tcl_plugin') == root / 'model-index.yml'
    # What an uninstall takes away, and what a strict editable install links.
    built = {str(path) for path in root.rglob('*') if path.is_file()}
    assert set(command.get_outputs()) == set(command.get_output_mapping()) == built
    assert captured_arguments(setup_file, monkeypatch)['cmdclass']['build_py'].__name__ == 'BuildWithMim'


def test_an_editable_install_has_links(setup_file, monkeypatch, tmp_path):
    for folder in ('checkout/tcl_plugin', 'checkout/configs', 'checkout/tools'):
        (tmp_path / folder).mkdir(parents=True)
    checkout = tmp_path / 'checkout'
    (checkout / 'model-index.yml').touch()
    monkeypatch.setattr(setup_file, 'ROOT', checkout)
    monkeypatch.chdir(checkout)
    for _ in range(2):  # and once more
        build_mim(setup_file, tmp_path / 'build', editable=True)
    # Relative ones, which live on in a checkout that is moved.
    mim = checkout.rename(tmp_path / 'elsewhere') / 'tcl_plugin' / '.mim'
    (tmp_path / 'elsewhere' / 'configs' / 'new.py').touch()
    assert (mim / 'configs' / 'new.py').is_file() and (mim / 'tools').is_dir()
    assert sorted(path.name for path in mim.iterdir()) == ['configs', 'model-index.yml', 'tools']
    assert find_index(mim.parent) == mim / 'model-index.yml' and not (tmp_path / 'build').exists()


def test_an_install_where_no_links_can_be_made(setup_file, monkeypatch, tmp_path, capsys):
    """As on Windows, for most people."""

    def refuse(*args):
        raise OSError(1314, 'a required privilege is not held')

    monkeypatch.setattr(Path, 'symlink_to', refuse)
    setup_file.link_mim(tmp_path / '.mim')
    assert capsys.readouterr().out.count('openmim will not find') == len(setup_file.MIM_PARTS)


def test_what_goes_into_a_wheel_is_in_a_source_distribution(setup_file, monkeypatch):
    monkeypatch.chdir(ROOT)
    files = FileList()
    for line in (ROOT / 'MANIFEST.in').read_text().splitlines():
        files.process_template_line(line)
    assert {str(path) for path in setup_file.mim_files()} <= set(files.files)
    assert 'tcl_plugin/py.typed' in files.files
    assert not [path for path in files.files if '.mim' in path]


def captured_arguments(setup_file, monkeypatch):
    """What setup.py tells setuptools."""
    told = {}
    monkeypatch.setattr('setuptools.setup', lambda **arguments: told.update(arguments))
    runpy.run_path(str(setup_file.__file__), run_name='__main__')
    return told
