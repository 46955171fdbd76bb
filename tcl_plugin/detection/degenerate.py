# SPDX-License-Identifier: Apache-2.0
"""What a detector says, and does, where scores tell nothing about labels: docs/degenerate.md argues it."""

import numpy as np

#: Clean probability where nothing speaks against a label: it is trusted, as in the warm-up.
TRUST = 1.0


class DetectionWarning(UserWarning):
    """Detection could not do what it is meant to, and has gone on in the way that it says.

    Args:
        kind (str): What has happened, in a word or two, the same each time.
        text (str): What has happened, and what has been done.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def check_finite(scores: np.ndarray) -> np.ndarray:
    """Refuse scores that are no numbers.

    Args:
        scores (np.ndarray): Scores, shape (N,).

    Returns:
        np.ndarray: The scores, float64.

    Raises:
        ValueError: If a score is NaN or infinite.
    """
    scores = np.asarray(scores, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(scores))
    if len(bad):
        raise ValueError(
            f'{len(bad)} of {len(scores)} scores are NaN or infinite, the first at sample '
            f'{bad[0]} (value {scores[bad[0]]})'
        )
    return scores
