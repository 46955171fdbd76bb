# SPDX-License-Identifier: Apache-2.0
"""Writes formulas as MathML, which browsers draw by themselves: an extension of Sphinx."""

from docutils.nodes import SkipNode
from latex2mathml.converter import convert


def draw_inline(translator, node) -> None:
    """Write a formula in a line of text; called by Sphinx."""
    translator.body.append(convert(node.astext()))
    raise SkipNode


def draw_block(translator, node) -> None:
    """Write a formula on a line of its own; called by Sphinx."""
    translator.body.append(convert(node.astext(), display='block'))
    raise SkipNode


def setup(app) -> dict:
    """Register with Sphinx."""
    app.add_html_math_renderer('mathml', (draw_inline, None), (draw_block, None))
    app.config.html_math_renderer = 'mathml'
    return {'version': '1', 'parallel_read_safe': True, 'parallel_write_safe': True}
