# SPDX-License-Identifier: Apache-2.0
"""The pages are finished, and what they point at is there."""

import inspect
import re
from pathlib import Path

import mmpretrain.registry
import pytest
from mmengine.registry import Registry

import tcl_plugin  # noqa: F401  registers everything

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', ROOT / 'configs' / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
LINK = re.compile(r'\]\((?!https?:|#)([^)#]+)')
# Files of the repository named in text or commands; `{20,50}` and `*` stand for several.
NAMED = re.compile(r'(?<![\w/.-])((?:configs|tools|tests|docs|tcl_plugin)/[\w/.*{},-]*\.(?:py|sh|md|png))')


def names(pattern):
    """The names that shell braces spell out."""
    found = re.search(r'\{([^{}]*)\}', pattern)
    if not found:
        return [pattern]
    return [n for part in found[1].split(',') for n in names(pattern[: found.start()] + part + pattern[found.end() :])]


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_is_finished_and_points_at_what_is_there(page):
    text = page.read_text(encoding='utf-8')
    assert '@@' not in text, 'a figure is missing'
    gone = [target for target in LINK.findall(text) if not (page.parent / target).is_file()]
    gone += [name for found in NAMED.findall(text) for name in names(found) if not any(ROOT.glob(name))]
    assert not gone


def test_reference_links_every_registered_class_to_its_file():
    registries = [value for value in vars(mmpretrain.registry).values() if isinstance(value, Registry)]
    ours = [
        (name, Path(inspect.getfile(cls)).relative_to(ROOT))
        for registry in registries
        for name, cls in registry.module_dict.items()
        # What the benchmark registers is no part for people, and there only once it is imported.
        if cls.__module__.startswith('tcl_plugin.') and not cls.__module__.startswith('tcl_plugin.benchmark')
    ]
    text = (ROOT / 'docs' / 'reference.md').read_text(encoding='utf-8')
    assert ours and not [name for name, file in ours if f'[`{name}`](../{file})' not in text]


def table_cells(text, section):
    """Cells of the tables between a heading and the next one, by the first cell of their row."""
    (part,) = re.findall(rf'^##+ {re.escape(section)}\n(.*?)(?=^##+ |\Z)', text, re.MULTILINE | re.DOTALL)
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in part.splitlines() if line[:1] == '|']
    return {row[0]: row[1:] for row in rows}


def test_figures_in_the_readme_are_those_of_the_results():
    results = (ROOT / 'docs' / 'results.md').read_text(encoding='utf-8')
    wrong = dict(sym20=17.8, sym50=44.6, sym80=71.5, sym90=80.5, asym40='20.0')
    headings = (
        'The weak crop for all',
        *(f'{noise}: {rate} % of the labels are wrong' for noise, rate in wrong.items()),
    )
    sections = [table_cells(results, name) for name in headings]
    readme = table_cells((ROOT / 'README.md').read_text(encoding='utf-8'), 'Results')
    figures = [
        (name, cell, section)
        for name, cells in readme.items()
        for cell, section in zip(cells, sections, strict=True)
        if re.match(r'\d+\.\d', cell)
    ]
    # What stands beside `config` there: the last accuracy.
    assert len(figures) > 10 and all(section[name][1] == cell for name, cell, section in figures)
