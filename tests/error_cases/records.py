# SPDX-License-Identifier: Apache-2.0
"""Work directories whose files are damaged, and decisions on labels that do not fit."""

import json
from pathlib import Path

import numpy as np

from tcl_plugin.evaluation import LabelTable, read_label_table, write_label_table
from tcl_plugin.reports import read_config, read_record
from tcl_plugin.reports.audit import apply_decisions

from .desk import Desk, case

SCALARS = 'run/20260101_000000/vis_data/scalars.json'
HEADER = 'sample_idx,given_label,suggested_label,decision\n'


def label_table() -> LabelTable:
    """Four samples of three classes, of which two labels are called wrong."""
    given, suggested = np.array([0, 1, 2, 0]), np.array([0, 2, 1, 0])
    return LabelTable(
        sample_idx=np.arange(4),
        given_label=given,
        predicted_label=suggested,
        label_quality=np.linspace(0.1, 0.4, 4),
        clean_prob=np.array([0.9, 0.1, 0.2, 0.8]),
        is_label_issue=given != suggested,
        suggested_label=suggested,
        suggested_prob=np.full(4, 0.5),
        predicted_prob=np.full(4, 0.5),
    )


def table(desk: Desk, old: str, new: str) -> str:
    """Write a table of label quality, change a text in it, and read it."""
    write_label_table('label_quality.csv', label_table())
    text = Path('label_quality.csv').read_text()
    assert old in text
    Path('label_quality.csv').write_text(text.replace(old, new))
    return desk.building(lambda: read_label_table('label_quality.csv').check_classes(3))


@case('record-table-cut-short')
def table_cut_short(desk: Desk) -> str:
    return table(desk, '3,0,0,0.4,0.8,False,0,0.5,0.5\n', '3,0,0,0.4,0.8')


@case('record-table-text')
def table_text(desk: Desk) -> str:
    return table(desk, '\n3,0,0,', '\n3,cat,0,')


@case('record-table-nan')
def table_nan(desk: Desk) -> str:
    return table(desk, ',0.4,0.8,', ',0.4,nan,')


@case('record-table-class-outside')
def table_class_outside(desk: Desk) -> str:
    return table(desk, '\n3,0,0,', '\n3,0,7,')


@case('record-table-of-another-kind')
def table_of_another_kind(desk: Desk) -> str:
    return table(desk, 'clean_prob', 'clean')


def scalars(desk: Desk, text: str) -> str:
    desk.write(SCALARS, text)
    return desk.building(lambda: read_record('run'))


@case('record-scalars-cut-short')
def scalars_cut_short(desk: Desk) -> str:
    whole = json.dumps({'accuracy/top1': 50.0, 'step': 1})
    return scalars(desk, f'{whole}\n{whole[:-9]}\n{whole}\n')


@case('record-scalars-of-another-kind')
def scalars_of_another_kind(desk: Desk) -> str:
    return scalars(desk, '{"accuracy/top1": 50.0}\n')


@case('record-missing')
def missing(desk: Desk) -> str:
    return desk.tool('results', 'run')


@case('record-config-is-code')
def config_is_code(desk: Desk) -> str:
    desk.write('run/my.py', f'import pathlib\npathlib.Path({str(desk.folder / "trace")!r}).touch()\n')
    return desk.building(lambda: read_config(Path('run')))


@case('record-config-calls')
def config_calls(desk: Desk) -> str:
    desk.write('run/my.py', "custom_hooks = [dict(detector=dict(type='os.system', command='touch trace'))]\n")
    return desk.building(lambda: read_config(Path('run')))


@case('record-config-imports')
def config_imports(desk: Desk) -> str:
    desk.write('run/my.py', "custom_imports = dict(imports=['my_models'])\n")
    return desk.building(lambda: read_config(Path('run')))


def decisions(desk: Desk, content: str | bytes) -> str:
    desk.write('decisions.csv', content)
    return desk.building(lambda: apply_decisions('decisions.csv', label_table()))


@case('decisions-missing')
def decisions_missing(desk: Desk) -> str:
    return desk.building(lambda: apply_decisions('decisions.csv', label_table()))


@case('decisions-empty')
def decisions_empty(desk: Desk) -> str:
    return decisions(desk, '')


@case('decisions-not-text')
def decisions_not_text(desk: Desk) -> str:
    return decisions(desk, b'\xff\xfe')


@case('decisions-word')
def decisions_word(desk: Desk) -> str:
    return decisions(desk, HEADER + '1,1,2,yes\n')


@case('decisions-index')
def decisions_index(desk: Desk) -> str:
    return decisions(desk, HEADER + '4,1,2,accept\n')


@case('decisions-twice')
def decisions_twice(desk: Desk) -> str:
    return decisions(desk, HEADER + '1,1,2,accept\n1,1,2,reject\n')


@case('decisions-of-another-page')
def of_another_page(desk: Desk) -> str:
    header = HEADER.replace('decision\n', 'decision,page\n')
    return decisions(desk, f'{header}1,1,2,accept,0123456789abcdef\n')


@case('decisions-of-another-run')
def decisions_of_another_run(desk: Desk) -> str:
    return decisions(desk, HEADER + '1,0,2,accept\n')
