# SPDX-License-Identifier: Apache-2.0
"""The site over docs/: ``make docs`` builds it into build/site, which needs no network to be read.

A new page: put it into docs/, and add one line to ``toctree`` in index.md; the build refuses pages that are not there.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / '_site'))

project = 'tcl_plugin'
extensions = ['myst_parser', 'formulas', 'repository']  # the last two from _site/

# Markdown as git hosts show it: formulas between dollars, headings as targets of links.
myst_enable_extensions = ['dollarmath']
myst_heading_anchors = 4
# [text](source:tools/train.py) is a page that shows a file; repository.py makes links and pages.
myst_url_schemes = {'http': None, 'https': None, 'source': 'source/{{path}}.html'}
suppress_warnings = ['myst.header']  # a page may go from its title to a heading of the third level

html_theme = 'furo'
html_title = 'tcl_plugin'
html_show_sphinx = html_show_copyright = html_copy_source = False
html_theme_options = {'sidebar_hide_name': False, 'top_of_page_buttons': []}
html_show_search_summary = False  # would be fetched, which browsers refuse to pages on a disk
html_static_path = ['_site/static']
html_css_files = ['site.css']
