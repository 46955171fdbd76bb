# SPDX-License-Identifier: Apache-2.0
"""Packaging of tcl_plugin."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent

EXTRAS = ('mminstall', 'onedl', 'tests', 'optional', 'docs')


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
        package_data={'tcl_plugin.reports.audit': ['*.html', '*.css', '*.js']},
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
