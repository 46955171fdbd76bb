# SPDX-License-Identifier: Apache-2.0
"""Wheel and source distribution, and the package as it is installed from them: ``make test-dist``.

The name keeps this file out of ``make test``: building downloads what ``build-system`` in pyproject.toml names.

The environment has nothing but the wheel, and looks up all else in the environment that runs the tests, so that some
gigabytes need not be installed twice. So this shows that the files are complete and the metadata true, not that pip
finds releases that go together: ``make venv`` does that.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent

# What has no part in a build, or comes from an earlier one.
LEFT_OUT = ('.*', '*_cache', 'build', 'data', 'dist', 'work_dirs', '*.egg-info', '__pycache__')

# One short epoch of the digits.
SHORT = (
    'model.backbone.base_channels=8',
    'model.head.in_channels=64',
    'train_dataloader.dataset.dataset.indices=64',
    'train_dataloader.batch_size=16',
    'train_cfg.max_epochs=1',
)


@dataclass
class Built:
    """What was built of a copy of the checkout.

    Attributes:
        sdist (Path): The source distribution.
        wheel (Path): The wheel that was made of it.
        direct (Path): The wheel that was made of the checkout.
    """

    sdist: Path
    wheel: Path
    direct: Path


@dataclass
class Environment:
    """An environment with the wheel alone.

    Attributes:
        python (Path): Its interpreter.
        package (Path): Where the package lies.
        folder (Path): An empty folder to work in, far from the checkout.
    """

    python: Path
    package: Path
    folder: Path

    def run(self, *arguments):
        """Run Python there, and return what it prints."""
        return run(self.python, *arguments, cwd=self.folder, env=variables())


def variables():
    """The environment variables, without those by which the checkout would be found."""
    return {name: value for name, value in os.environ.items() if name not in ('PYTHONPATH', 'MYPYPATH')}


def run(*command, **settings):
    """Run a command that must succeed, and return its output."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **settings)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp('built')
    source = shutil.copytree(ROOT, folder / 'source', ignore=shutil.ignore_patterns(*LEFT_OUT))
    build = (sys.executable, '-m', 'build', source)
    run(*build, '--outdir', folder / 'dist')
    run(*build, '--wheel', '--outdir', folder / 'direct')
    (sdist,), (wheel,) = (folder / 'dist').glob('*.tar.gz'), (folder / 'dist').glob('*.whl')
    (direct,) = (folder / 'direct').glob('*.whl')
    return Built(sdist, wheel, direct)


@pytest.fixture(scope='module')
def environment(built, tmp_path_factory):
    home = tmp_path_factory.mktemp('environment')
    run(sys.executable, '-m', 'venv', '--without-pip', home)
    python = home / 'bin' / 'python'
    run(sys.executable, '-m', 'pip', '--python', python, 'install', '--no-deps', '--no-index', built.wheel)
    site = Path(run(python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))').strip())
    # A line of such a file is a folder in which modules are looked for last; its own .pth files, that of an editable
    # install among them, do not count.
    (site / 'others.pth').write_text(''.join(f'{path}\n' for path in sys.path if path.endswith('-packages')))
    return Environment(python, site / 'tcl_plugin', tmp_path_factory.mktemp('elsewhere'))


def test_the_source_distribution_has_all_that_a_wheel_takes(built):
    contents = []
    for path in (built.wheel, built.direct):
        with zipfile.ZipFile(path) as wheel:
            contents.append({info.filename: info.CRC for info in wheel.infolist()})
    assert contents[0] == contents[1]


def test_a_wheel_has_the_package_and_nothing_else(built):
    with zipfile.ZipFile(built.wheel) as wheel:
        names = set(wheel.namelist())
    here = {path.relative_to(ROOT).as_posix() for path in (ROOT / 'tcl_plugin').rglob('*') if path.is_file()}
    here = {name for name in here if '__pycache__' not in name and '.mim/' not in name}
    there = {name for name in names if name.startswith('tcl_plugin/') and '.mim/' not in name}
    assert there == here and 'tcl_plugin/py.typed' in there
    assert {name.split('/')[0] for name in names} == {'tcl_plugin', f'tcl_plugin-{version()}.dist-info'}


def test_a_source_distribution_has_no_half_of_the_tests(built):
    """Setuptools would take those named test_*.py, but not what they import."""
    with tarfile.open(built.sdist) as archive:
        assert not [name for name in archive.getnames() if '/tests/' in name or name.endswith('/tests')]


def test_what_is_required_is_there(environment):
    """Of the metadata in the wheel, in so far as it goes for this environment."""
    found = environment.run('-c', 'from importlib.metadata import requires; print(*requires("tcl_plugin"), sep="\\n")')
    lines = [Requirement(line) for line in found.splitlines()]
    wanted = {name: read_requirements(name) for name in ('runtime', 'mminstall', 'onedl', 'tests', 'optional', 'docs')}
    plain = {(line.name, str(line.specifier)) for line in lines if line.marker is None}
    assert plain == wanted['runtime']
    for extra in ('mminstall', 'onedl', 'tests', 'optional', 'docs'):
        own = {(line.name, str(line.specifier)) for line in lines if f'extra == "{extra}"' in str(line.marker)}
        assert own == wanted[extra]
    for name, specifier in wanted['runtime'] | wanted['mminstall']:
        assert Requirement(f'{name}{specifier}').specifier.contains(metadata.version(name), prereleases=True)


def test_configs_by_name(environment):
    code = (
        'import tcl_plugin\n'
        'from mmpretrain import get_model, list_models\n'
        'print(tcl_plugin.__file__, len(list_models("tcl*")), type(get_model("tcl_digits_sym80")).__name__)'
    )
    file, number, name = environment.run('-W', 'ignore', '-c', code).splitlines()[-1].split()
    assert Path(file).parent == environment.package
    assert int(number) > 10 and name == 'TCL'


def test_tools_train_test_and_audit(environment):
    mim = environment.package / '.mim'
    config = mim / 'configs' / 'tcl_digits_sym80.py'
    environment.run(mim / 'tools' / 'train.py', config, '--work-dir', 'run', '--cfg-options', *SHORT)
    checkpoint = environment.folder / 'run' / 'epoch_1.pth'
    assert checkpoint.is_file() and (environment.folder / 'run' / 'label_quality.csv').is_file()
    recorded = environment.folder / 'run' / config.name
    told = environment.run(mim / 'tools' / 'test.py', recorded, checkpoint)
    assert re.search(r'accuracy/top1: [\d.]+', told)
    environment.run(mim / 'tools' / 'audit_labels.py', 'run')
    assert (environment.folder / 'run' / 'audit' / 'index.html').is_file()


def test_other_programs_get_the_types(environment):
    """Without py.typed, mypy would look at nothing that comes from this package."""
    program = environment.folder / 'program.py'
    program.write_text('from tcl_plugin.detection import fit_clean_probability\n\nfit_clean_probability("0.5")\n')
    command = (sys.executable, '-m', 'mypy', '--config-file', '', '--python-executable', environment.python, program)
    settings = dict(cwd=environment.folder, env=variables(), capture_output=True, text=True)
    told = subprocess.run(list(map(str, command)), **settings)
    assert told.returncode == 1, told.stdout + told.stderr
    (line,) = [line for line in told.stdout.splitlines() if line.startswith('program.py')]
    assert '"fit_clean_probability" has incompatible type "str"' in line


def version():
    """Version of the checkout."""
    return re.search(r"__version__ = '(.+)'", (ROOT / 'tcl_plugin' / 'version.py').read_text())[1]


def read_requirements(name):
    """Names and specifiers in a file of requirements/."""
    lines = (line.split('#')[0].strip() for line in (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines())
    return {(line.name, str(line.specifier)) for line in map(Requirement, filter(None, lines))}
