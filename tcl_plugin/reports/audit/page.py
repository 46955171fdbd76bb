# SPDX-License-Identifier: Apache-2.0
"""The page on which a person goes through doubtful labels: one file, without network or other files."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from ...atomic import write_text
from .decisions import page_id
from .source import Audit
from .summary import state_of, unjudged_of, warning_of
from .thumbnails import Thumbnail

PAGE_NAME = 'index.html'

# Inside a script element only these could end it, or begin a comment; U+2028 and U+2029 end lines in older JavaScript.
_UNSAFE = {ord(char): f'\\u{ord(char):04x}' for char in '<>&\u2028\u2029'}


def write_page(path: str | Path, audit: Audit, summary: dict, thumbnails: Sequence[Thumbnail]) -> None:
    """Write the page.

    Args:
        path (str | Path): The file.
        audit (Audit): The audit.
        summary (dict): Its summary, see :func:`summarise`.
        thumbnails (Sequence[Thumbnail]): Of the most doubtful labels, in the order of the ranking.
    """
    script = _template('page.js')
    parts = {
        'title': html.escape(f'Doubtful labels of {audit.name}'),
        'policy': _policy(script, _template('page.css')),
        'style': _template('page.css'),
        'data': embed(page_data(audit, summary, thumbnails)),
        'script': script,
    }
    # In one go, so that nothing in the data is taken for a place to fill.
    text = re.sub(r'\{\{(\w+)\}\}', lambda found: parts[found[1]], _template('page.html'))
    # Of a name that is not UTF-8 an escape is left, which JSON has too.
    write_text(path, text, errors='backslashreplace')


def embed(data: object) -> str:
    """Write data as JSON that can stand in a script element of a page.

    Args:
        data (object): The data.

    Returns:
        str: JSON without ``<``, ``>`` and ``&``, so that no text in it can end the element.
    """
    return json.dumps(data, ensure_ascii=False, separators=(',', ':'), allow_nan=False).translate(_UNSAFE)


def page_data(audit: Audit, summary: dict, thumbnails: Sequence[Thumbnail]) -> dict:
    """Collect what the page shows.

    Args:
        audit (Audit): The audit.
        summary (dict): Its summary.
        thumbnails (Sequence[Thumbnail]): See :func:`write_page`.

    Returns:
        dict: Ready for JSON.
    """
    return {
        'id': page_id(audit.table),
        'run': ', '.join(filter(None, [audit.name, state_of(summary)])),
        'classes': list(audit.classes),
        'samples': summary['num_samples'],
        'issues': summary['num_issues'],
        'measured': summary.get('measured'),
        'warning': warning_of(summary),
        'unjudged': unjudged_of(summary),
        'byClass': [[row['samples'], row['issues']] for row in summary['by_given_class']],
        'pairs': _pairs(audit),
        'cards': [_card(audit, row, picture) for row, picture in zip(audit.ranking, thumbnails, strict=False)],
    }


def _pairs(audit: Audit) -> list[list[int]]:
    """Given label, suggested label and how often, of all labels that are called wrong."""
    table, num_classes = audit.table.take(audit.ranking), len(audit.classes)
    pairs, counts = np.unique(table.given_label * num_classes + table.suggested_label, return_counts=True)
    return np.stack([pairs // num_classes, pairs % num_classes, counts], axis=1).tolist()


def _card(audit: Audit, row: int, picture: Thumbnail) -> dict:
    table = audit.table
    path = None if table.img_path is None else str(table.img_path[row]) or None
    suggested_label, suggested_prob = table.suggestions
    return {
        'index': int(row),
        'given': int(table.given_label[row]),
        'suggested': int(suggested_label[row]),
        'true': None if table.true_label is None else int(table.true_label[row]),
        'clean': float(table.right_prob[row]),
        'prob': float(suggested_prob[row]),
        'path': path,
        'src': picture.uri,
        'error': picture.error,
    }


def _policy(script: str, style: str) -> str:
    """Content security policy: nothing is loaded from anywhere, and no other script or style is heeded."""
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style)]
    return (
        f"default-src 'none'; img-src data:; script-src 'sha256-{digests[0]}'; style-src 'sha256-{digests[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _template(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding='utf-8')
