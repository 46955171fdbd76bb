# SPDX-License-Identifier: Apache-2.0
"""Fits files of the repository that are not in docs/ into the site: an extension of Sphinx.

The pages are written for a git host, where a link such as ``../tcl_plugin/models/heads/tcl_head.py`` works. Here two
READMEs become pages, every other file that a page links to becomes a page that shows it, and links follow.
"""

import os
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from sphinx.highlighting import PygmentsBridge

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / 'docs'
# Pages of the site that show a page which lies elsewhere, for git hosts to find it there.
ELSEWHERE = {'index': ROOT / 'README.md', 'configs': ROOT / 'configs' / 'README.md'}
LANGUAGES = {'.py': 'python', '.sh': 'bash', '.toml': 'toml', '.cff': 'yaml'}

FENCED = re.compile(r'^( *)(```+|~~~+).*?^\1\2 *$', re.MULTILINE | re.DOTALL)
# The target of [text](target#anchor), of a file or page here.
LINK = re.compile(r'(?<=\]\()(?![a-z]+:|#)([^)#\s]+)')


def site_link(path: Path) -> str:
    """Say how a page of the site, all of which lie side by side, links to a file of the repository.

    Args:
        path (Path): The file, absolute.

    Returns:
        str: Target of the link.
    """
    for page, source in ELSEWHERE.items():
        if path == source:
            return f'{page}.md'
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    return f'source:{path.relative_to(ROOT).as_posix()}'


def linked_file(target: str, folder: Path) -> Path | None:
    """Find the file that a link means.

    Args:
        target (str): The link, without anchor.
        folder (Path): Folder of the page that has it.

    Returns:
        Path, optional: The file; None where the repository has none, for Sphinx to complain about.
    """
    path = Path(os.path.normpath(folder / target))
    return path if path.is_relative_to(ROOT) and path.is_file() else None


def prose(markdown: str) -> Iterator[tuple[str, bool]]:
    """Cut a page into what is prose and what is code.

    Args:
        markdown (str): The page.

    Yields:
        tuple[str, bool]: A part, and whether it is prose. All parts in order make the page.
    """
    start = 0
    for block in FENCED.finditer(markdown):
        yield markdown[start : block.start()], True
        yield block[0], False
        start = block.end()
    yield markdown[start:], True


def relink(markdown: str, source: Path) -> tuple[str, set[Path]]:
    """Turn links that suit the repository into links that suit the site.

    Args:
        markdown (str): A page.
        source (Path): The file that it is from.

    Returns:
        tuple[str, set[Path]]: The page, and the files outside of docs/ that it links to.
    """
    shown = set()

    def follow(found: re.Match) -> str:
        path = linked_file(found[1], source.parent)
        link = found[1] if path is None else site_link(path)
        if link.startswith('source:'):
            shown.add(path)
        return link

    text = ''.join(LINK.sub(follow, part) if is_prose else part for part, is_prose in prose(markdown))
    return text, shown


def show(path: Path) -> str:
    """Show a file of the repository.

    Args:
        path (Path): The file.

    Returns:
        str: HTML.
    """
    text = path.read_text(encoding='utf-8')
    code = PygmentsBridge('html').highlight_block(text, LANGUAGES.get(path.suffix, 'text'))
    return f'<h1>{escape(path.name)}</h1>\n<p><code>{escape(path.relative_to(ROOT).as_posix())}</code></p>\n{code}'


def read_page(app, docname, content) -> None:
    """Take a page from elsewhere, and let links follow; called by Sphinx with a list of one text."""
    source = ELSEWHERE.get(docname, Path(app.env.doc2path(docname)))
    if docname in ELSEWHERE:
        content[0] = f'{source.read_text(encoding="utf-8")}\n\n{content[0]}'
        app.env.note_dependency(str(source))
    content[0], shown = relink(content[0], source)
    app.env.metadata[docname]['shown'] = shown


def show_files(app) -> Iterator[tuple[str, dict, str]]:
    """Make the pages that show files; called by Sphinx."""
    for path in sorted(set().union(*(meta.get('shown', ()) for meta in app.env.metadata.values()))):
        name = path.relative_to(ROOT).as_posix()
        yield f'source/{name}', {'title': escape(name), 'body': show(path)}, 'page.html'


def setup(app) -> dict:
    """Register with Sphinx."""
    app.connect('source-read', read_page)
    app.connect('html-collect-pages', show_files)
    return {'version': '1', 'parallel_read_safe': True, 'parallel_write_safe': True}
