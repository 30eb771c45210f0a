"""Whether an order of shoppers is told apart from one by chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

CHANCE: Final = 0.5
"""The concordance of an order that knows nothing."""

STANDARD_ERRORS: Final = 2.0
"""How far above chance a concordance has to be: about 95 %, like the intervals of the report."""

_FEWEST_FOLDS: Final = 2


def chance_warning(metrics: Mapping[str, float | dict[str, float]]) -> str | None:
    """Say that a scorer is not told apart from chance.

    Args:
        metrics: of a cross-validation: `concordance`, and `concordance_by_fold`, from which its standard error comes.

    Returns:
        A sentence without its full stop. None if the concordance is over chance by more than two standard errors, or
        if there is none.
    """
    concordance, by_fold = metrics.get("concordance"), metrics.get("concordance_by_fold")
    if not isinstance(concordance, float):
        return None
    folds = np.array(list(by_fold.values()) if isinstance(by_fold, dict) else [], dtype=np.float64)
    found = f"of the pairs of shoppers it had not seen it orders {concordance:.1%} rightly"
    if folds.size < _FEWEST_FOLDS:
        sure = "and too few folds had buyers to say how sure that is"
    else:
        margin = STANDARD_ERRORS * float(folds.std(ddof=1)) / folds.size**0.5
        if concordance - margin > CHANCE:
            return None
        sure = f"give or take {100 * margin:.1f} points, which is no better than chance"
    return f"{found}, {sure}: do not act on its scores; it needs more users who buy, or a longer history"
