# SPDX-License-Identifier: Apache-2.0
"""The pages become a site: links follow, files are shown, formulas are drawn, and nothing comes from elsewhere."""

import importlib
import io
import re
from pathlib import Path

import pytest

for needed in ('myst_parser', 'furo', 'latex2mathml'):
    pytest.importorskip(needed)
application = pytest.importorskip('sphinx.application')
docutils = pytest.importorskip('sphinx.util.docutils')

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / 'docs'

PAGES = {
    'README.md': '# Home\n\n[part](docs/page.md#the-part), [code](tcl_plugin/code.py)\n',
    'configs/README.md': '# Configs\n\n[home](../README.md), [page](../docs/page.md)\n',
    'docs/index.md': '```{toctree}\nconfigs\npage\n```\n',
    'docs/configs.md': '',
    'docs/page.md': '# Page\n\n## The part\n\n$a_1$ and\n\n$$\n\\frac{1}{2}\n$$\n\n'
    '- [configs](../configs/README.md), [code](../tcl_plugin/code.py)\n\n```text\n[kept](../README.md)\n```\n',
    'tcl_plugin/code.py': "MARK = '<seen>'\n",
}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """The extension, for a repository of a few files in a temporary folder."""
    monkeypatch.syspath_prepend(DOCS / '_site')
    module = importlib.import_module('repository')
    for name, text in PAGES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(module, 'ROOT', tmp_path)
    monkeypatch.setattr(module, 'DOCS', tmp_path / 'docs')
    elsewhere = {page: tmp_path / path.relative_to(ROOT) for page, path in module.ELSEWHERE.items()}
    monkeypatch.setattr(module, 'ELSEWHERE', elsewhere)
    return module


def build(folder):
    """Build the site with the settings of docs/conf.py, and return what it warns of."""
    warnings, out = io.StringIO(), folder / 'site'
    with docutils.patch_docutils(str(DOCS)), docutils.docutils_namespace():
        app = application.Sphinx(folder / 'docs', DOCS, out, folder / 'trees', 'html', status=None, warning=warnings)
        app.config.nitpicky = True
        app.build()
    return warnings.getvalue()


def test_site(repository, tmp_path):
    assert build(tmp_path) == ''
    home, page, configs = ((tmp_path / 'site' / f'{name}.html').read_text() for name in ('index', 'page', 'configs'))
    assert 'href="page.html#the-part"' in home and 'href="source/tcl_plugin/code.py.html"' in home
    assert 'href="configs.html"' in page and 'href="index.html"' in configs
    assert '[kept](../README.md)' in page
    assert page.count('<math') == 2 and 'display="block"' in page and '<msub>' in page
    assert '&lt;seen&gt;' in (tmp_path / 'site' / 'source' / 'tcl_plugin' / 'code.py.html').read_text()
    assert not re.findall(r'(?:src|<link[^>]+href)="(?:https?:)?//[^"]+"', home + page + configs)


def test_dead_ends_are_warned_of(repository, tmp_path):
    page = tmp_path / 'docs' / 'page.md'
    targets = ['gone.md', '../tcl_plugin/gone.py', 'configs.md#nope', '#nope', '../../outside.md']
    page.write_text('# Page\n\n' + '\n'.join(f'[to {i}]({target})' for i, target in enumerate(targets)))
    (tmp_path / 'docs' / 'lost.md').write_text('# Lost\n')
    (tmp_path / 'outside.md').write_text('')
    warnings = build(tmp_path)
    assert "isn't included in any toctree" in warnings and 'lost.md' in warnings
    assert all(target.split('#')[-1] in warnings for target in targets)
    # Of the README: the part that it links to has gone.
    assert 'the-part' in warnings


def test_other_links_stay_as_they_are(repository, tmp_path):
    text, shown = repository.relink(
        '[a](tcl_plugin/code.py#L1) [b](https://x.org/y) [c](gone.py)', tmp_path / 'README.md'
    )
    assert text == '[a](source:tcl_plugin/code.py#L1) [b](https://x.org/y) [c](gone.py)'
    assert shown == {tmp_path / 'tcl_plugin' / 'code.py'}
