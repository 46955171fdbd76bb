# SPDX-License-Identifier: Apache-2.0
"""The pages are finished, and what they point at is there."""

import re
from pathlib import Path

import pytest

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
    gone = [target for target in LINK.findall(text) if not (page.parent / target).exists()]
    gone += [name for found in NAMED.findall(text) for name in names(found) if not any(ROOT.glob(name))]
    assert not gone
