# SPDX-License-Identifier: Apache-2.0
"""Numbers about the labels of a training set: as a run estimates them, and as they are where the truth is known."""

import json
from typing import Any

import numpy as np

from ...datasets.agreement import chance_agreement, classes_given_up
from ...datasets.image_lists import some
from ...evaluation import detection_metrics
from ...transitions import count_transitions
from .source import Audit


def summarise(audit: Audit) -> dict:
    """Sum up an audit.

    Args:
        audit (Audit): The audit.

    Returns:
        dict: Ready for JSON; ``docs/audit.md`` lists the entries. Transition matrices have the class
        (suggested, or true) as the row and the given label as the column; a class without samples keeps its label.
    """
    table, num_classes = audit.table, len(audit.classes)
    issue = table.is_label_issue
    summary: dict[str, Any] = {
        'run': audit.name,
        **(dict(zip(('epochs', 'max_epochs'), audit.unfinished, strict=True)) if audit.unfinished else {}),
        'num_samples': len(table),
        'num_held_out': len(audit.dataset.held_out_part()) if audit.dataset.held_out else 0,
        'num_kept_back': audit.kept_back,
        'num_issues': int(issue.sum()),
        'num_issues_without_other_class': int((issue & (table.suggested_label == table.given_label)).sum()),
        'estimated_noise_rate': _share(issue),
        'unsure': _share(table.suggestions[1] < 0.5),
        **_agreement(table.predicted_label, table.given_label, num_classes),
        'classes_given_up': [
            audit.classes[k] for k in classes_given_up(table.predicted_label, table.given_label, num_classes)
        ],
        'classes': list(audit.classes),
        'by_given_class': _by_class(audit),
        'estimated_transition_matrix': _matrix(audit.corrected, table.given_label, num_classes),
    }
    if table.true_label is not None:
        summary['measured'] = _measure(audit)
        summary['measured_transition_matrix'] = _matrix(table.true_label, table.given_label, num_classes)
    return summary


def to_json(summary: dict) -> str:
    """Write a summary so that people can read it: tables have one row a line.

    Args:
        summary (dict): The summary.

    Returns:
        str: JSON.
    """
    entries = []
    for key, value in summary.items():
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, list) and value and isinstance(value[0], (list, dict)):
            rows = ',\n  '.join(json.dumps(row, ensure_ascii=False) for row in value)
            text = f'[\n  {rows}\n ]'
        entries.append(f' {json.dumps(key)}: {text}')
    return '{\n' + ',\n'.join(entries) + '\n}\n'


def warning_of(summary: dict) -> str | None:
    """Find out whether a training has learned enough for an audit.

    Args:
        summary (dict): See :func:`summarise`.

    Returns:
        str, optional: What is to be said if predictions agree with labels no more than chance would have it, three
        standard deviations allowed; if for most images no class is likelier than not; or if classes are given up.
    """
    found, by_chance, size = summary['agreement'], summary['agreement_by_chance'], summary['num_samples']
    if size and found < 1 and found <= by_chance + 3 * summary['agreement_deviation']:
        return (
            f'predictions agree with {found:.0%} of the labels, where chance alone makes {by_chance:.0%}: this '
            'training has learned too little to tell wrong labels from right ones, or nothing can be learned from them'
        )
    if size and summary['unsure'] > 0.5:
        return (
            f'for {summary["unsure"]:.0%} of the images no class is likelier than not, so that any label of theirs is '
            'called wrong: the network is not sure enough to judge them, having been trained too short, perhaps'
        )
    lost = summary['classes_given_up']
    if lost:
        return (
            f'the network predicts hardly any image as {some(lost)}: either nearly all labels that say so are wrong, '
            'or it has given these classes up, and their images are called wrong for nothing; another seed, or a '
            'longer warm-up, may keep them'
        )
    return None


def unjudged_of(summary: dict) -> list[str]:
    """Say which images are not in an audit.

    Args:
        summary (dict): See :func:`summarise`.

    Returns:
        list[str]: A line for each reason; none where the labels of all images are judged.
    """
    held_out, kept_back = summary['num_held_out'], summary['num_kept_back']
    lines = []
    if held_out:
        lines.append(f'{held_out:,} images were held out of the training: their labels are not judged')
    if kept_back is None:
        lines.append(
            'how many images were kept back for validation is not known, as their list is gone or an earlier release '
            'wrote it: their labels are not judged'
        )
    elif kept_back:
        lines.append(
            f'{kept_back:,} images were kept back for validation: their labels are not judged (a training with '
            '--no-validate keeps none back)'
        )
    return lines


def state_of(summary: dict) -> str | None:
    """Say how far the training has come that an audit is of.

    Args:
        summary (dict): See :func:`summarise`.

    Returns:
        str, optional: Such as ``'after 3 of 24 epochs'``; None if it has come to its end, or nobody knows.
    """
    return f'after {summary["epochs"]} of {summary["max_epochs"]} epochs' if 'epochs' in summary else None


def _agreement(predicted: np.ndarray, given: np.ndarray, num_classes: int) -> dict[str, float | None]:
    """Share of labels that are predicted, and what it would be if predictions were dealt out anew."""
    by_chance, deviation = chance_agreement(predicted, given, num_classes)
    return dict(agreement=_share(predicted == given), agreement_by_chance=by_chance, agreement_deviation=deviation)


def _by_class(audit: Audit) -> list[dict]:
    """Samples and issues of each given class, and its measured noise rate where the truth is known."""
    table, num_classes = audit.table, len(audit.classes)
    samples = np.bincount(table.given_label, minlength=num_classes)
    issues = np.bincount(table.given_label[table.is_label_issue], minlength=num_classes)
    rows = [
        {
            'label': label,
            'class': audit.classes[label],
            'samples': int(samples[label]),
            'issues': int(issues[label]),
            'estimated_noise_rate': float(issues[label] / samples[label]) if samples[label] else None,
        }
        for label in range(num_classes)
    ]
    if table.true_label is not None:
        wrong = np.bincount(table.given_label[table.given_label != table.true_label], minlength=num_classes)
        for label, row in enumerate(rows):
            row['measured_noise_rate'] = float(wrong[label] / samples[label]) if samples[label] else None
    return rows


def _measure(audit: Audit) -> dict:
    """What is known where the true labels are."""
    table = audit.table
    issue, true = table.is_label_issue, table.true_label
    assert true is not None
    return {
        'noise_rate': _share(table.given_label != true),
        'noise_rate_after_correction': _share(audit.corrected != true),
        'suggestions_right': _share((table.suggestions[0] == true)[issue]),
        **detection_metrics(table.right_prob, table.scores, table.given_label, true),
    }


def _share(mask: np.ndarray) -> float | None:
    return float(mask.mean()) if len(mask) else None


def _matrix(rows: np.ndarray, given: np.ndarray, num_classes: int) -> list[list[float]]:
    # Six digits, as in the tables: a matrix of 1000 classes is large enough.
    return count_transitions(rows, given, num_classes).round(6).tolist()
