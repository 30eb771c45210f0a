"""Whether an order of shoppers is told apart from one by chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

CHANCE: Final = 0.5
"""The concordance of an order that knows nothing."""

CHANCE_LOSS: Final = 0.75
"""The order loss, 1 - (concordance + normalised Gini) / 2, of such an order."""

STANDARD_ERRORS: Final = 2.0
"""How far above chance a concordance has to be: about 95 %, like the intervals of the report."""

_FEWEST_FOLDS: Final = 2
_REMEDY: Final = "do not act on its scores; it needs more users who buy, or a longer history"


def chance_warning(metrics: Mapping[str, float | dict[str, float]]) -> str | None:
    """Say that a scorer is not told apart from chance.

    Args:
        metrics: of a cross-validation: `concordance`; `concordance_by_fold`, from which its standard error comes; and,
            where the rows allowed a split by time, `later` with its `order_loss`.

    Returns:
        A sentence without its full stop. None if the concordance is over chance by more than two standard errors and
        the loss at later instants is under that of chance, or if there is no concordance.
    """
    concordance, by_fold, later = (metrics.get(name) for name in ("concordance", "concordance_by_fold", "later"))
    if not isinstance(concordance, float):
        return None
    found = f"of the pairs of shoppers it had not seen it orders {concordance:.1%} rightly"
    folds = np.array(list(by_fold.values()) if isinstance(by_fold, dict) else [], dtype=np.float64)
    if folds.size < _FEWEST_FOLDS:
        return f"{found}, and too few folds had buyers to say how sure that is: {_REMEDY}"
    margin = STANDARD_ERRORS * float(folds.std(ddof=1)) / folds.size**0.5
    if concordance - margin <= CHANCE:
        return f"{found}, give or take {100 * margin:.1f} points, which is no better than chance: {_REMEDY}"
    if isinstance(later, dict) and later.get("order_loss", 0.0) >= CHANCE_LOSS:
        return f"at instants later than it was fitted on it orders shoppers no better than chance: {_REMEDY}"
    return None
