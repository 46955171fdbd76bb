# SPDX-License-Identifier: Apache-2.0
"""Packaging of tcl_plugin."""

import os
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent

EXTRAS = ('mminstall', 'onedl', 'tests', 'optional', 'docs')

# Where openmim and tcl_plugin.zoo look for configs and tools in an installed package, and what lies there.
MIM = Path('tcl_plugin', '.mim')
MIM_PARTS = {'configs': ('*.py', '*.yml', '*.md'), 'tools': ('*.py', '*.sh'), 'model-index.yml': ()}


def read_version():
    """Return ``__version__`` without importing the package, which needs torch.

    Returns:
        str: The version.
    """
    scope = {}
    exec((ROOT / 'tcl_plugin' / 'version.py').read_text(encoding='utf-8'), scope)
    return scope['__version__']


def parse_requirements(name):
    """Read one file of ``requirements/``.

    Args:
        name (str): File name without suffix, such as ``'runtime'``.

    Returns:
        list[str]: One requirement each; comments and empty lines are left out.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    stripped = (line.split('#', 1)[0].strip() for line in lines)
    return [line for line in stripped if line]


def extras():
    """Return the extras, by name.

    Neither ``install_requires`` nor ``all`` brings a framework: ``mminstall`` (OpenMMLab's releases) and ``onedl``
    (the maintained forks) provide the same modules, so a person chooses exactly one of the two.

    Returns:
        dict[str, list[str]]: Requirements of each extra.
    """
    result = {name: parse_requirements(name) for name in EXTRAS}
    result['all'] = sorted({line for name in ('tests', 'optional', 'docs') for line in result[name]})
    return result


def mim_files():
    """List what goes into :data:`MIM`.

    Returns:
        list[Path]: Paths under the root.
    """
    files = []
    for name, patterns in MIM_PARTS.items():
        inside = [path for pattern in patterns for path in (ROOT / name).rglob(pattern)] if patterns else [ROOT / name]
        files += sorted(path.relative_to(ROOT) for path in inside)
    return files


class BuildWithMim(build_py):
    """Builds the package with configs and tools in it.

    A wheel gets copies, which never lie in the checkout. For an editable install the checkout itself is what is
    imported, and gets links: a new config is there at once.

    openmim 0.3.9 looks for a package beside its metadata, where pip leaves nothing of an editable install; it finds
    the links with the checkout in PYTHONPATH, or as ``python -m mim`` in the checkout. tcl_plugin.zoo needs neither.
    """

    def run(self):
        """Build."""
        super().run()
        if self.editable_mode:
            link_mim(ROOT / MIM)
            return
        for target, source in self._mim_mapping().items():
            self.mkpath(os.path.dirname(target))
            self.copy_file(source, target)

    def get_outputs(self, include_bytecode=True):
        """List what is built.

        Args:
            include_bytecode (bool): Whether compiled files are counted.

        Returns:
            list[str]: Paths.
        """
        return list(dict.fromkeys([*super().get_outputs(include_bytecode), *self._mim_mapping()]))

    def get_output_mapping(self):
        """Say what is built of which file.

        Returns:
            dict[str, str]: Paths of sources by paths of what is built.
        """
        return super().get_output_mapping() | self._mim_mapping()

    def _mim_mapping(self):
        return {os.path.join(self.build_lib, MIM, path): str(path) for path in mim_files()}


def link_mim(folder):
    """Make a folder of links to configs, tools and index.

    Args:
        folder (Path): The folder, two levels below the root.
    """
    folder.mkdir(exist_ok=True)
    for name in MIM_PARTS:
        link = folder / name
        if link.is_symlink():  # of an earlier install
            link.unlink()
        try:
            link.symlink_to(Path('..', '..', name))
        except OSError as error:  # Windows lets few make links; the package finds the checkout without
            print(f'openmim will not find {name}: {link} cannot be made: {error}')


if __name__ == '__main__':
    setup(
        name='tcl_plugin',
        version=read_version(),
        description='Robust image classification under label noise for mmpretrain: twin contrastive learning',
        long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
        long_description_content_type='text/markdown',
        author='tcl_plugin contributors',
        license='Apache-2.0',
        keywords='computer vision, image classification, noisy labels, contrastive learning',
        packages=find_packages(include=['tcl_plugin', 'tcl_plugin.*']),
        include_package_data=True,
        package_data={'tcl_plugin': ['py.typed'], 'tcl_plugin.reports.audit': ['*.html', '*.css', '*.js']},
        cmdclass={'build_py': BuildWithMim},
        python_requires='>=3.10,<3.13',
        install_requires=parse_requirements('runtime'),
        extras_require=extras(),
        classifiers=[
            'Development Status :: 4 - Beta',
            'Operating System :: OS Independent',
            'Programming Language :: Python :: 3',
            'Programming Language :: Python :: 3.10',
            'Programming Language :: Python :: 3.11',
            'Programming Language :: Python :: 3.12',
            'Topic :: Scientific/Engineering :: Artificial Intelligence',
        ],
        zip_safe=False,
    )
