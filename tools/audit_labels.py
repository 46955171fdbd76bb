# SPDX-License-Identifier: Apache-2.0
"""List the labels that a run doubts, and make a page to go through them: ``python tools/audit_labels.py WORK_DIR``."""

import sys
from pathlib import Path

# Work from a checkout, whether or not the package is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import tcl_plugin  # noqa: F401  registers the data sets
from tcl_plugin.atomic import write_text
from tcl_plugin.cli import BUILDING, Parser, number
from tcl_plugin.errors import UserError, explained, run_tool
from tcl_plugin.evaluation import write_label_table
from tcl_plugin.explain import explain_config
from tcl_plugin.reports.audit import (
    apply_decisions,
    make_thumbnails,
    read_audit,
    require_decisions,
    summarise,
    write_label_lists,
    write_page,
)
from tcl_plugin.reports.audit.label_lists import list_root
from tcl_plugin.reports.audit.page import PAGE_NAME
from tcl_plugin.reports.audit.summary import state_of, to_json, unjudged_of, warning_of


def parse_args(argv=None):
    """Parse the command line.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        argparse.Namespace: The values.
    """
    parser = Parser(
        prog='audit_labels.py',
        description='List the training labels that a run doubts, most doubtful first; write corrected labels for the '
        'next training, a summary, and a page (index.html) to accept or reject suggestions one by one.',
    )
    parser.add_argument('work_dir', help='work directory of a run with a LabelNoiseHook')
    parser.add_argument('--out', metavar='FOLDER', help='where to write; default: WORK_DIR/audit')
    parser.add_argument(
        '--top', type=number(0), default=500, metavar='N', help='number of images on the page; default: 500'
    )
    parser.add_argument(
        '--apply', metavar='FILE', help='write cleaned labels from the decisions that the page let you download'
    )
    parser.add_argument(
        '--undecided',
        choices=('keep', 'suggest'),
        help='with --apply, what becomes of doubtful labels that were not decided on: they are kept (default), '
        'or become what is suggested',
    )
    args = parser.parse_args(argv)
    if args.apply == '':
        raise UserError('--apply is empty: name the file of decisions; is a variable of the shell not set?')
    if args.undecided and not args.apply:
        raise UserError('--undecided goes with --apply FILE, the decisions of the page')
    args.undecided = args.undecided or 'keep'
    args.out = Path(args.out) if args.out else Path(args.work_dir) / 'audit'
    return args


def write_audit(audit, out, top):
    """Write everything that an audit gives.

    Args:
        audit (Audit): The audit.
        out (Path): Folder to write into.
        top (int): Number of images on the page.

    Returns:
        list[str]: Lines to print.
    """
    summary = summarise(audit)
    write_label_table(out / 'label_issues.csv', audit.table.take(audit.ranking))
    lists = write_label_lists(audit.dataset, audit.corrected, out, 'corrected')
    if len(lists) > 1:
        summary['data_root'] = list_root(audit.dataset)
    write_text(out / 'summary.json', to_json(summary))
    thumbnails = make_thumbnails(audit.dataset, audit.ranking[:top])
    write_page(out / PAGE_NAME, audit, summary, thumbnails)
    issues, size = summary['num_issues'], summary['num_samples']
    lines = [f'{issues:,} of {size:,} labels ({issues / max(size, 1):.1%}) are called wrong']
    lines += unjudged_of(summary)
    state, warning = state_of(summary), warning_of(summary)
    if state:
        lines.append(f'the training is not finished: this is what it knew {state}')
    if warning:
        lines.append(f'warning: {warning}')
    unreadable = [f'sample {row}: {t.error}' for row, t in zip(audit.ranking, thumbnails, strict=False) if t.error]
    if unreadable:
        lines.append(f'{len(unreadable)} images cannot be shown, the first of {unreadable[0]}')
    files = dict(page=PAGE_NAME, ranked='label_issues.csv', summary='summary.json')
    lines += [f'{what:9} {out / name}' for what, name in files.items()]
    return lines + [f'{"corrected":9} {path}' for path in lists]


def write_cleaned(audit, out, decisions, undecided):
    """Write the labels that a person's decisions make.

    Args:
        audit (Audit): The audit.
        out (Path): Folder to write into.
        decisions (str): File of decisions.
        undecided (str): See :func:`apply_decisions`.

    Returns:
        list[str]: Lines to print.
    """
    labels, counts = apply_decisions(decisions, audit.table, undecided)
    changed = int((labels != audit.table.given_label).sum())
    fate = 'kept' if undecided == 'keep' else 'replaced by the suggestion'
    lines = [
        f'{counts["accept"]:,} suggestions accepted, {counts["reject"]:,} rejected; {counts["undecided"]:,} doubtful '
        f'labels undecided and {fate}; {changed:,} labels change'
    ]
    return lines + [f'{"cleaned":9} {path}' for path in write_label_lists(audit.dataset, labels, out, 'cleaned')]


def audit_labels(argv=None):
    """Audit as the command line says.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.
    """
    args = parse_args(argv)
    with explained(explain_config, *BUILDING):
        if args.apply:  # before the data set is read, which may take long
            require_decisions(args.apply)
        audit = read_audit(args.work_dir)
        args.out.mkdir(parents=True, exist_ok=True)
        if args.apply:
            lines = write_cleaned(audit, args.out, args.apply, args.undecided)
        else:
            lines = write_audit(audit, args.out, args.top)
    print('\n'.join(lines))


def main(argv=None):
    """Run the tool.

    Args:
        argv (list[str] | None): Arguments. Defaults to None, for ``sys.argv``.

    Returns:
        int: The exit code.
    """
    return run_tool(audit_labels, argv)


if __name__ == '__main__':
    sys.exit(main())
