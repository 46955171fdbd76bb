# SPDX-License-Identifier: Apache-2.0
"""What gets installed."""

import re
import runpy
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from setuptools import Distribution
from setuptools.command.build_py import build_py
from toolbox import ROOT, load_file

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
            packages=['tcl_plugin.reports.audit'],
            package_data=captured_arguments(setup_file, monkeypatch)['package_data'],
        )
    )
    command = build_py(distribution)
    command.build_lib = str(tmp_path)
    command.ensure_finalized()
    command.run()
    folder = tmp_path / 'tcl_plugin' / 'reports' / 'audit'
    assert {'page.html', 'page.css', 'page.js'} <= {path.name for path in folder.iterdir()}


def captured_arguments(setup_file, monkeypatch):
    """What setup.py tells setuptools."""
    told = {}
    monkeypatch.setattr('setuptools.setup', lambda **arguments: told.update(arguments))
    runpy.run_path(str(setup_file.__file__), run_name='__main__')
    return told
